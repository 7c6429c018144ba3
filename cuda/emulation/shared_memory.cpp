#include <cstdlib>
#include <cstring>

#include "cuda/emulation/scheduler.h"
#include "src/core/sanitizers.h"

#ifdef CYTOGRAD_ASAN
#include <sanitizer/asan_interface.h>
#endif

// Every shared array is an allocation of its own and lives as long as its block, so that
// AddressSanitizer sees overflows and uses by other blocks; 0xff bytes are NaN in every float
// format.

namespace cytograd::simt {
namespace {

constexpr size_t dynamic_align = 1024;  // what 128-byte swizzled tiles need

size_t rounded(size_t bytes) { return (bytes + dynamic_align - 1) / dynamic_align * dynamic_align; }

char* filled(size_t bytes, size_t align) {
  void* memory = nullptr;
  if (posix_memalign(&memory, align, bytes ? bytes : 1) != 0) throw std::bad_alloc();
  std::memset(memory, 0xff, bytes);
  return static_cast<char*>(memory);
}

}  // namespace

void* shared_array(const void* key, size_t bytes, size_t align, const char* name) {
  const Inside inside;
  Block& block = *self->block;
  size_t total = bytes;
  for (const SharedArray& array : block.arrays) {
    if (array.key == key) return array.memory;
    total += array.bytes;
  }
  if (total > config().max_static_shared)
    fail("static shared memory of " + std::to_string(total) + " bytes with '" + name +
         "': expected at most " + std::to_string(config().max_static_shared));
  char* const memory = filled(bytes, align);
  block.arrays.push_back({key, memory, bytes, name});
  observe([&](Observer& o) { o.allocate(memory, bytes, true, name); });
  return memory;
}

void make_block_arrays(Block& block, size_t dynamic_bytes) {
  block.dynamic_bytes = dynamic_bytes;
  block.dynamic = nullptr;
  if (dynamic_bytes == 0) return;
  block.dynamic = filled(rounded(dynamic_bytes), dynamic_align);
#ifdef CYTOGRAD_ASAN
  __asan_poison_memory_region(block.dynamic + dynamic_bytes,
                              rounded(dynamic_bytes) - dynamic_bytes);
#endif
  observe([&](Observer& o) { o.allocate(block.dynamic, dynamic_bytes, true, "dynamic shared"); });
}

void free_block_arrays(Block& block) {
  for (const SharedArray& array : block.arrays) {
    observe([&](Observer& o) { o.release_memory(array.memory); });
    std::free(array.memory);
  }
  block.arrays.clear();
  if (!block.dynamic) return;
  observe([&](Observer& o) { o.release_memory(block.dynamic); });
#ifdef CYTOGRAD_ASAN
  __asan_unpoison_memory_region(block.dynamic, rounded(block.dynamic_bytes));
#endif
  std::free(block.dynamic);
  block.dynamic = nullptr;
}

}  // namespace cytograd::simt
