#include "cytograd/io/labelme.h"

#include "cytograd/detection/rle.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    using namespace cytograd;
    for (const LabelMeShape& shape : parse_labelme(bytes, name).shapes) {
      if (shape.label.empty() || shape.points.size() % 2 != 0) __builtin_trap();
      const detection::Rle mask = detection::rle_from_polygon(outline_of(shape), 50, 70);
      int64_t pixels = 0;
      for (const uint32_t count : mask.counts) pixels += count;
      if (pixels != 50 * 70) __builtin_trap();
    }
  });
}
