#include "cuda/core/allocator.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/device_memory.h"
#include "cuda/core/stream.h"
#include "cytograd/core/error.h"

namespace cytograd::cuda {
namespace {

constexpr size_t kSmall = size_t{1} << 20;

// Small blocks in steps of 512 bytes, larger ones in steps of a sixteenth of their power of two.
size_t round_up(size_t bytes) {
  size_t step = 512;
  if (bytes > kSmall) step = size_t{1} << (59 - __builtin_clzll(bytes - 1));
  return std::max((bytes + step - 1) / step, size_t{1}) * step;
}
// The largest block that may serve a request.
size_t most(size_t capacity) { return capacity < kSmall ? 2 * capacity : capacity + capacity / 4; }

using FreeBlocks = std::multimap<size_t, void*>;

void* take(FreeBlocks& free, size_t& capacity) {
  const auto at = free.lower_bound(capacity);
  if (at == free.end() || at->first > most(capacity)) return nullptr;
  void* data = at->second;
  capacity = at->first;
  free.erase(at);
  return data;
}

thread_local std::shared_ptr<GraphPool> capture_pool;

class Allocator {
 public:
  explicit Allocator(int device) : device_(device) {}

  void* allocate(size_t bytes) {
    Block block{round_up(bytes), current_stream(device_).handle(), capture_pool};
    const std::lock_guard lock(mutex_);
    if (allocation_must_fail()) fail(bytes);
    void* data = take(block.pool ? block.pool->free : free_[block.stream], block.capacity);
    if (data) {
      if (!block.pool) stats_.cached -= block.capacity;
    } else {
      data = cuda::allocate(device_, block.capacity);
      if (!data && !block.pool) {  // giving memory back would wait for the stream that captures
        release_cache();
        data = cuda::allocate(device_, block.capacity);
      }
      if (!data) fail(bytes);
      ++stats_.allocations;
    }
    if (block.pool) ++block.pool->live;
    stats_.in_use += block.capacity;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    live_.emplace(data, std::move(block));
    return data;
  }

  void release(void* data) noexcept {
    const std::lock_guard lock(mutex_);
    const auto at = live_.find(data);
    if (at == live_.end()) return;
    Block block = std::move(at->second);
    live_.erase(at);
    stats_.in_use -= block.capacity;
    try {
      if (block.pool && --block.pool->live, block.pool && !block.pool->ended) {
        block.pool->free.emplace(block.capacity, data);
      } else if (capture_pool) {
        stats_.in_use += block.capacity;  // until the graph that may touch it is gone
        capture_pool->held.push_back(data);
        live_.emplace(data, std::move(block));
      } else {
        free_[block.stream].emplace(block.capacity, data);
        stats_.cached += block.capacity;
      }
    } catch (const std::bad_alloc&) {  // no memory to remember the block
      cuda::release(device_, data);
    }
  }

  void end(const std::shared_ptr<GraphPool>& pool) {
    {
      const std::lock_guard lock(mutex_);
      pool->ended = true;
      for (const auto& [capacity, data] : pool->free) cuda::release(device_, data);
      pool->free.clear();
    }
    for (void* data : std::exchange(pool->held, {})) release(data);
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }
  void empty() {
    const std::lock_guard lock(mutex_);
    release_cache();
  }

 private:
  struct Block {
    size_t capacity;
    StreamHandle stream;
    std::shared_ptr<GraphPool> pool;
  };

  void release_cache() {
    for (const auto& [stream, blocks] : free_)
      for (const auto& [capacity, data] : blocks) cuda::release(device_, data);
    free_.clear();
    stats_.cached = 0;
  }
  [[noreturn]] void fail(size_t bytes) const {
    const MemoryInfo info = memory_info(device_);
    throw DeviceError(
        {.id = "gpu.oom",
         .file = "",
         .place = "",
         .found = "memory: out of memory on cuda:" + std::to_string(device_) + ": asked for " +
                  std::to_string(bytes) + " bytes, " + std::to_string(stats_.in_use) + " in use, " +
                  std::to_string(stats_.cached) + " cached, " + std::to_string(info.free) + " of " +
                  std::to_string(info.total) + " free",
         .expected = "",
         .hint = "use a smaller batch or image size, or end what else runs there"});
  }

  int device_;
  std::mutex mutex_;
  std::map<StreamHandle, FreeBlocks> free_;
  std::unordered_map<void*, Block> live_;
  MemoryStats stats_;
};

// Never destroyed: tensors with static lifetime may be freed after every other static.
Allocator& allocator(int device) {
  static std::mutex mutex;
  static auto* all = new std::map<int, std::unique_ptr<Allocator>>;
  const std::lock_guard lock(mutex);
  auto& one = (*all)[device];
  if (!one) {
    properties(device);
    one = std::make_unique<Allocator>(device);
  }
  return *one;
}

}  // namespace

void* allocate_block(int device, size_t bytes) { return allocator(device).allocate(bytes); }
void release_block(int device, void* data) noexcept { allocator(device).release(data); }
MemoryStats memory_of(int device) { return allocator(device).stats(); }
void reset_peak_of(int device) { allocator(device).reset_peak(); }
void empty_cache_of(int device) { allocator(device).empty(); }

PoolScope::PoolScope(std::shared_ptr<GraphPool> pool) { capture_pool = std::move(pool); }
PoolScope::~PoolScope() { capture_pool = nullptr; }
bool capturing() { return capture_pool != nullptr; }
void end_pool(int device, const std::shared_ptr<GraphPool>& pool) { allocator(device).end(pool); }

}  // namespace cytograd::cuda
