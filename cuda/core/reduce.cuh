#pragma once

#include "cuda/core/kernel.cuh"

/// @file
/// Sums and other folds over the threads of a warp or block, in a fixed order: the same bits on
/// every run.

namespace cytograd::cuda::inline CYTOGRAD_NS {

inline constexpr unsigned full_warp = 0xffffffffu;

struct Plus {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a + b;
  }
};
/// NaN if one is NaN.
struct Larger {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

/// Every lane gets the fold of the values of all 32 lanes. The whole warp must call it.
template <class T, class Fold = Plus>
CYTOGRAD_DEVICE T warp_reduce(T value, Fold fold = {}) {
  for (int distance = 16; distance > 0; distance /= 2)
    value = fold(value, __shfl_xor_sync(full_warp, value, distance));
  return value;
}

/// Every thread gets the fold of the values of all threads of the block. Blocks are
/// one-dimensional, a multiple of 32 and at most 1024 threads; all of them must call it, and may at
/// once call it again. `neutral` changes nothing when folded.
template <class T, class Fold = Plus>
CYTOGRAD_DEVICE T block_reduce(T value, T neutral = T(0), Fold fold = {}) {
  CYTOGRAD_SHARED(T, parts, [32]);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  value = warp_reduce(value, fold);
  if (lane == 0) parts[warp] = value;
  __syncthreads();
  value = warp_reduce(lane < warps ? parts[lane] : neutral, fold);
  __syncthreads();
  return value;
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
