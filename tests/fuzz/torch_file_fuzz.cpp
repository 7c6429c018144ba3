#include "cytograd/io/torch_file.h"

#include "fuzz.h"
#include "io/pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The pickle alone: a mutated archive rarely gets past its checksums.
  expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    cytograd::io::PickleMachine machine(name, "pickle");
    machine.run(bytes);
  });
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    cytograd::decode_torch_file(bytes, name);
  });
}
