#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "cytograd/core/device.h"

namespace cytograd {

/// Bytes of tensor memory on a device.
struct MemoryStats {
  size_t in_use = 0;       ///< held by live storage
  size_t cached = 0;       ///< free blocks kept for reuse
  size_t peak = 0;         ///< largest `in_use` since the last reset
  size_t allocations = 0;  ///< blocks asked of the system so far
};

MemoryStats memory_stats(Device device = {});
void reset_peak_memory(Device device = {});
/// Gives every cached block back to the system.
void empty_cache(Device device = {});
/// The largest n below `failed` with which run(n) finds memory; 0 if not even 1 does. Runs it a few
/// times: two smaller n tell what each more costs, and what they predict is tried. What run(n)
/// leaves behind counts as in use; an n that it refuses (ValueError) does not fit.
/// @throws what else run throws
int64_t largest_that_fits(Device device, int64_t failed, const std::function<void(int64_t n)>& run);
/// Fault injection for tests: the n-th allocation from now fails as if memory were full; 0 turns it
/// off.
void fail_allocation_at(int64_t n);

/// One block of device memory, aligned to 64 bytes. Freed blocks go to a cache that reuses a block
/// for requests of at least half its size.
class Storage {
 public:
  /// @throws DeviceError with bytes asked, in use and cached when memory is full
  Storage(size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  /// Counts in-place changes; a tensor saved for backward remembers the value it saw.
  uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0, capacity_ = 0;
  Device device_;
  std::atomic<uint64_t> version_{0};
};

}  // namespace cytograd
