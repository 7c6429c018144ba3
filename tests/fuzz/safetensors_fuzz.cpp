#include "cytograd/io/safetensors.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    size_t total = 0;
    for (const auto& [key, tensor] : cytograd::decode_safetensors(bytes, name).tensors)
      total += tensor.bytes();
    if (total > 8 * bytes.size()) __builtin_trap();
  });
}
