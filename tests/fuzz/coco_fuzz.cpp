#include "cytograd/io/coco.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    using namespace cytograd;
    const CocoFile file = parse_coco(bytes, name);
    for (const CocoAnnotation& a : file.annotations) {
      if (a.image >= file.images.size() || !file.categories.contains(a.category)) __builtin_trap();
      if (!a.degenerate && !(a.box.w > 0 && a.box.h > 0)) __builtin_trap();
      const CocoFileImage& image = file.images[a.image];
      // What a mask costs is that of its image, which the file alone can call huge.
      if (image.height > 512 || image.width > 512) continue;
      const detection::Rle mask = mask_of(a, image);
      int64_t pixels = 0;
      for (const uint32_t count : mask.counts) pixels += count;
      if (pixels != image.height * image.width) __builtin_trap();
      if (!(detection::rle_from_text(detection::rle_to_text(mask), image.height, image.width) ==
            mask))
        __builtin_trap();
    }
  });
}
