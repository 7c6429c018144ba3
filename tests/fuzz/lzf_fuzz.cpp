#include "fuzz.h"
#include "io/lzf_filter.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t most = 1 << 16;
  const auto expanded = cytograd::io::lzf_expanded({data, size}, most);
  if (expanded && expanded->size() > most) __builtin_trap();
  return 0;
}
