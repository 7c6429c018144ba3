#include "cytograd/core/memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <string>

#include "core/device_memory.h"
#include "core/sanitizers.h"
#include "cytograd/core/error.h"

namespace cytograd {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
// Blocks from here on are mapped one by one, so that those given back are the system's again at
// once; malloc would keep most of them for smaller ones. A multiple of every page in use.
#ifdef CYTOGRAD_ASAN
constexpr size_t kMapped = SIZE_MAX;  // it watches the ends of malloc's blocks only
#else
constexpr size_t kMapped = size_t{1} << 20;
#endif

// Small blocks in steps of 64 bytes, larger ones in steps of an eighth of their power of two: at
// most 12.5 % is wasted and similar sizes share a class.
size_t round_up(size_t bytes) {
  if (bytes <= 1024) return std::max((bytes + kAlignment - 1) / kAlignment, size_t{1}) * kAlignment;
  const size_t step = size_t{1} << (60 - __builtin_clzll(bytes - 1));
  return (bytes + step - 1) / step * step;
}

class CpuAllocator {
 public:
  ~CpuAllocator() { empty(); }

  void* allocate(size_t bytes, size_t& capacity) {
    capacity = round_up(bytes);
    const std::lock_guard lock(mutex_);
    if (allocation_must_fail()) fail(bytes);
    auto it = free_.lower_bound(capacity);
    void* data;
    if (it != free_.end() && it->first <= 2 * capacity) {
      capacity = it->first;
      data = it->second;
      free_.erase(it);
      stats_.cached -= capacity;
    } else {
      data = from_system(capacity);
      if (!data) {
        release_cache();
        data = from_system(capacity);
      }
      if (!data) fail(bytes);
      ++stats_.allocations;
    }
    stats_.in_use += capacity;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    return data;
  }

  void release(void* data, size_t capacity) noexcept {
    const std::lock_guard lock(mutex_);
    stats_.in_use -= capacity;
    try {
      free_.emplace(capacity, data);
      stats_.cached += capacity;
    } catch (const std::bad_alloc&) {  // no memory to remember the block
      to_system(data, capacity);
    }
  }

  void empty() {
    const std::lock_guard lock(mutex_);
    release_cache();
  }
  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

 private:
  static void* from_system(size_t capacity) {
    if (capacity >= kMapped) return map(capacity);
    // Not aligned_alloc: that asks for a size that is a multiple of the alignment.
    void* data = nullptr;
    return posix_memalign(&data, kAlignment, capacity) == 0 ? data : nullptr;
  }
  static void to_system(void* data, size_t capacity) {
    capacity >= kMapped ? static_cast<void>(munmap(data, capacity)) : std::free(data);
  }
  // From two huge pages on, at the beginning of one.
  static void* map(size_t capacity) {
    const bool huge = capacity >= 2 * kHugePage;
    const size_t spare = huge ? kHugePage : 0;
    void* mapped =
        mmap(nullptr, capacity + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    if (!huge) return mapped;
    auto* begin = static_cast<std::byte*>(mapped);
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(begin) % kHugePage) % kHugePage;
    if (before > 0) munmap(begin, before);
    if (before < spare) munmap(begin + before + capacity, spare - before);
    madvise(begin + before, capacity, MADV_HUGEPAGE);
    return begin + before;
  }
  void release_cache() {
    for (auto& [capacity, data] : free_) to_system(data, capacity);
    free_.clear();
    stats_.cached = 0;
  }
  [[noreturn]] void fail(size_t bytes) const {
    throw DeviceError({"mem.full", "", "",
                       "memory: out of memory on cpu: asked for " + std::to_string(bytes) +
                           " bytes, " + std::to_string(stats_.in_use) + " in use, " +
                           std::to_string(stats_.cached) + " cached",
                       "", "use a smaller batch or image size"});
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  MemoryStats stats_;
};

// For tests, which allocate on one thread while it counts.
std::atomic<int64_t> allocations_until_failure{0};

bool on_host(Device device) { return device.type == DeviceType::cpu; }

// Never destroyed: tensors with static lifetime may be freed after every other static.
CpuAllocator& allocator() {
  static auto* instance = new CpuAllocator;
  return *instance;
}

}  // namespace

MemoryStats memory_stats(Device device) {
  return on_host(device) ? allocator().stats() : device::stats(device);
}
void reset_peak_memory(Device device) {
  on_host(device) ? allocator().reset_peak() : device::reset_peak(device);
}
void empty_cache(Device device) {
  on_host(device) ? allocator().empty() : device::empty_cache(device);
}

void fail_allocation_at(int64_t n) { allocations_until_failure = n; }
bool allocation_must_fail() {
  return allocations_until_failure > 0 && --allocations_until_failure == 0;
}

Storage::Storage(size_t bytes, Device device) : bytes_(bytes), device_(device) {
  data_ =
      on_host(device) ? allocator().allocate(bytes, capacity_) : device::allocate(device, bytes);
}

Storage::~Storage() {
  on_host(device_) ? allocator().release(data_, capacity_) : device::release(device_, data_);
}

}  // namespace cytograd
