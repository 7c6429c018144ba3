#pragma once

#include <map>
#include <memory>
#include <vector>

#include "cuda/core/runtime.h"
#include "cytograd/core/memory.h"

/// @file
/// Memory of a device: blocks that were freed are kept and used again in the order of the stream
/// they were allocated for, so that nobody waits for the device.

namespace cytograd::cuda {

/// What a captured graph works in: blocks that were allocated while capturing, and blocks that were
/// freed then and that the graph may still touch.
struct GraphPool {
  std::multimap<size_t, void*> free;
  std::vector<void*> held;
  size_t live = 0;  ///< blocks that tensors hold
  bool ended = false;
};

void* allocate_block(int device, size_t bytes);
void release_block(int device, void* data) noexcept;
MemoryStats memory_of(int device);
void reset_peak_of(int device);
void empty_cache_of(int device);

/// While it lives, allocations of this thread come from `pool`.
class PoolScope {
 public:
  explicit PoolScope(std::shared_ptr<GraphPool> pool);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;
};
/// Is this thread capturing a graph?
bool capturing();
/// The graph is gone: its blocks are free for everybody, those that tensors hold as they let go.
void end_pool(int device, const std::shared_ptr<GraphPool>& pool);

}  // namespace cytograd::cuda
