#pragma once

#include <cstdint>
#include <vector>

#include "inference/graph.h"

/// @file
/// Where each value of a network lives while it runs.

namespace cytograd::inference {

/// Channels [offset, offset + C) of the pixels of a buffer, `pitch` elements apart.
struct Place {
  int buffer = -1;  ///< kInput and kResult are the caller's tensors
  int64_t offset = 0, pitch = 0;
};
inline constexpr int kInput = -2, kResult = -3;

/// All sizes are elements per image: a batch of n takes n times as much, at n times the address.
struct Plan {
  std::vector<Place> places;     ///< of each value
  std::vector<int64_t> buffers;  ///< where each begins in the arena
  int64_t size = 0;              ///< of the arena

  bool same_memory(int a, int b) const {
    const Place &p = places[static_cast<size_t>(a)], &q = places[static_cast<size_t>(b)];
    return p.buffer == q.buffer && p.offset == q.offset;
  }
};

/// Concatenated values are written where the concatenation is to stand, as far as their makers can
/// write slices; a sum takes the place of a summand that nobody reads later; buffers whose times do
/// not overlap share memory.
Plan plan_memory(Graph& graph);

}  // namespace cytograd::inference
