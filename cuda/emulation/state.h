#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/core/tensor_map.h"
#include "cuda/emulation/config.h"
#include "cuda/emulation/fiber.h"
#include "cuda/emulation/vector_types.h"

/// @file
/// What the parts of the emulation share: threads, warps, blocks, and the observers of their acts.

namespace cytograd::simt {

/// A place in a source file, taken where a default argument is filled in. (clang 14 has no
/// std::source_location; return addresses differ when the compiler duplicates a call.)
struct Site {
  const char* file = "";
  unsigned line = 0;
  static constexpr Site current(const char* file = __builtin_FILE(),
                                unsigned line = __builtin_LINE()) {
    return {file, line};
  }
  bool operator==(const Site& other) const {
    return line == other.line && (file == other.file || std::string(file) == other.file);
  }
};
std::string text_of(Site site);

/// A grid to run. `name` goes into messages.
struct Launch {
  dim3 grid, block;
  size_t dynamic_bytes = 0;
  const char* name = "kernel";
  int resident = 0;  ///< blocks that run interleaved; 0: as configured
};

struct Block;

/// One cp.async: `bytes` are copied and the rest of `room` zeroed when its group is waited for.
struct CpAsync {
  void* to;
  const void* from;
  uint32_t bytes, room;
  void* pc;
};
/// One wgmma of this thread: what it adds to its accumulators when its group is waited for.
struct Wgmma {
  float* d;
  uint64_t a, b;  ///< descriptors of the operands in shared memory
  int n;
  bool accumulate, a_in_registers, a_transposed, b_transposed;
  uint32_t a_registers[4];
  std::vector<float> before;  ///< accumulators at issue; empty if an earlier wgmma still holds them
  void* pc;
};
/// A tile on its way to global memory.
struct TileStore {
  cuda::TensorMap map;
  const char* from;
  int at[5];
  void* pc;
};
/// Asynchronous work in groups, of which the last one is open. In steady state nothing is
/// allocated.
template <class T>
class AsyncGroups {
 public:
  void add(T item) {
    items_.push_back(std::move(item));
    ++sizes_.back();
  }
  void commit() { sizes_.push_back(0); }
  size_t committed() const { return sizes_.size() - 1; }
  bool outstanding() const { return committed() || !items_.empty(); }
  /// Calls `finish` with every item of the oldest group and forgets the group.
  template <class Finish>
  void finish_oldest(Finish&& finish) {
    const auto end = items_.begin() + sizes_.front();
    for (auto item = items_.begin(); item != end; ++item) finish(*item);
    items_.erase(items_.begin(), end);
    sizes_.erase(sizes_.begin());
  }

 private:
  std::vector<T> items_;
  std::vector<uint32_t> sizes_{0};
};
struct AsyncQueues {
  AsyncGroups<TileStore> stores;
  AsyncGroups<CpAsync> copies;
  std::vector<std::vector<Wgmma>> products{1};  ///< groups; the last one is open
};

struct Thread {
  uint3 index{};
  uint16_t linear = 0, warp = 0;
  uint8_t lane = 0;
  bool done = false;
  uint32_t inside = 1;          ///< > 0 while the emulation itself runs on this thread's stack
  uint32_t fences = 0;          ///< proxy fences so far
  int votes = 0, arrivals = 0;  ///< result of the last barrier
  Block* block = nullptr;
  Stack* stack = nullptr;
  const char* waits_in = "not started";
  Site site;
  std::unique_ptr<AsyncQueues> async;  ///< made at first use
};

/// Sees the payloads of the lanes in `mask` once all of them have come.
using Combine = void (*)(void* const* payloads, uint32_t mask);

struct Lane {
  uint32_t mask = 0;
  const char* name = nullptr;
  void* payload = nullptr;
};
struct Warp {
  uint32_t waiting = 0, exited = 0;
  Lane lanes[32];
};
struct Barrier {
  uint32_t arrived = 0, expected = 0;
  int votes = 0;
  Site site;
  std::vector<Thread*> waiting, all;
};
struct SharedArray {
  const void* key;
  void* memory;
  size_t bytes;
  const char* name;
};
struct Block {
  uint3 index{};
  dim3 grid, shape;
  uint32_t linear = 0;
  uint64_t serial = 0;  ///< counts the blocks of this OS thread, from 1
  uint32_t live = 0, exited = 0;
  bool active = false;
  bool orders_blocks = false;
  uint32_t copies = 0;  ///< of the copy engine, under way
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<SharedArray> arrays;
  char* dynamic = nullptr;
  size_t dynamic_bytes = 0;
  Barrier barriers[16];
  std::vector<Barrier> warpgroups;
  std::vector<void*> warpgroup_payloads;
};

/// Thread that runs now on this OS thread; null outside kernels.
extern constinit thread_local Thread* self;

/// How memory is touched; flags add up.
enum AccessKind : unsigned {
  reads = 0,
  writes = 1,
  atomic = 2,       ///< as one step; does not conflict with other atomics
  async_proxy = 4,  ///< by TMA or wgmma, which see ordinary stores only after a proxy fence
  pending = 8,      ///< issue of an asynchronous copy: the bytes are undefined from now on
};

/// Watches a launch: race checker, profile, trace.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void launch_begin(const Launch&) {}
  /// @return faults found, one per line; the launch then fails with them
  virtual std::string launch_end() { return ""; }
  virtual void block_begin(Block&) {}
  virtual void block_end(Block&) {}
  /// `count` threads meet and see what the others wrote before. `whole`: all of the block
  virtual void join(Thread* const*, int, bool) {}
  virtual void release(Thread&, const void*) {}
  virtual void acquire(Thread&, const void*) {}
  /// An asynchronous copy starts and is given a number; it ends by releasing `object` (null:
  /// dropped).
  virtual void issue(Thread&, uint64_t, const void*, size_t) {}
  virtual void complete(Block&, uint64_t, const void*) {}
  virtual void access(const void*, size_t, unsigned, void*) {}
  /// Memory appears, filled with bytes nobody wrote, or goes.
  virtual void allocate(void*, size_t, bool, const char*) {}
  virtual void release_memory(void*) {}
  /// Thread arrives at a barrier or warp operation (`mask` is 0 for barriers), or leaves the
  /// kernel.
  virtual void arrive(Thread&, const char*, uint32_t, Site) {}
};
std::vector<Observer*>& observers();
/// Whether there are any: the cheap question before each report.
extern bool observed;
void add_observer(Observer* observer);
void remove_observer(Observer* observer);

template <class F>
void observe(F f) {
  if (!observed) return;
  for (Observer* o : observers()) f(*o);
}

}  // namespace cytograd::simt
