#include "image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz_image(data, size, cytograd::ImageFormat::pnm);
  return fuzz_image(data, size, cytograd::ImageFormat::bmp);
}
