#include "cuda/emulation/memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "cuda/emulation/state.h"

namespace cytograd::simt {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<uintptr_t, DeviceBlock> blocks;
  size_t bytes = 0;
};

// Never destroyed: buffers may be freed by destructors of static objects.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

}  // namespace

void* device_allocate(size_t bytes, const char* name) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes ? bytes : 1) != 0) throw std::bad_alloc();
  std::memset(memory, 0xff, bytes);
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  r.blocks[reinterpret_cast<uintptr_t>(memory)] = {memory, bytes, name};
  r.bytes += bytes;
  observe([&](Observer& o) { o.allocate(memory, bytes, false, name); });
  return memory;
}

void device_free(void* p) {
  if (!p) return;
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  const auto found = r.blocks.find(reinterpret_cast<uintptr_t>(p));
  if (found == r.blocks.end())
    throw InternalError("device_free: a pointer that device_allocate did not return");
  r.bytes -= found->second.bytes;
  r.blocks.erase(found);
  observe([&](Observer& o) { o.release_memory(p); });
  std::free(p);
}

std::optional<DeviceBlock> device_block_of(const void* p) {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  const auto address = reinterpret_cast<uintptr_t>(p);
  auto next = r.blocks.upper_bound(address);
  if (next == r.blocks.begin()) return std::nullopt;
  const DeviceBlock& block = std::prev(next)->second;
  if (address - reinterpret_cast<uintptr_t>(block.memory) >= block.bytes) return std::nullopt;
  return block;
}

size_t device_bytes() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  return r.bytes;
}

std::vector<DeviceBlock> device_blocks() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  std::vector<DeviceBlock> all;
  for (const auto& [address, block] : r.blocks) all.push_back(block);
  return all;
}

}  // namespace cytograd::simt
