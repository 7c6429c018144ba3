#include "cytograd/io/label_image.h"
#include "image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    cytograd::decode_label_tiff(bytes, name, 1 << 18);
  });
  return fuzz_image(data, size, cytograd::ImageFormat::tiff);
}
