#include "cytograd/io/voc.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    for (const cytograd::VocObject& o : cytograd::parse_voc(bytes, name).objects)
      if (!o.degenerate && !(o.x2 > o.x1 && o.y2 > o.y1)) __builtin_trap();
  });
}
