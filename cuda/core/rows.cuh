#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "cuda/core/kernel.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/reduce.cuh"
#include "kernels/math.h"

/// @file
/// Kernels that treat rows: a row belongs to a group of threads, a warp (GROUP = 32) or a block
/// (GROUP threads). Reductions have an order that depends on nothing but the sizes: the same bits
/// every time.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// The value of the lane whose number differs in `lane_bits`. Overloaded for structs.
template <class T>
__device__ inline T shuffle_xor(T v, int lane_bits) {
  return __shfl_xor_sync(full_warp, v, lane_bits);
}

/// Every thread of the group gets the fold of all their values; all of them call it. A fold of
/// structs may differ between lanes in its last bits: use that of one thread.
template <int GROUP, class T, class Fold>
__device__ inline T group_reduce(T v, Fold fold) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) v = fold(v, shuffle_xor(v, bits));
  if constexpr (GROUP > 32) {
    constexpr int warps = GROUP / 32;
    CYTOGRAD_SHARED(T, part, [warps]);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = part[0];
#pragma unroll
    for (int w = 1; w < warps; ++w) v = fold(v, part[w]);
    __syncthreads();  // `part` may be written again
  }
  return v;
}

/// The calling thread's place in its group, the first row of the group, and the number of groups.
template <int GROUP>
__device__ inline int group_rank() {
  return static_cast<int>(threadIdx.x) % GROUP;
}
template <int GROUP>
__device__ inline int64_t first_group() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / GROUP;
}
template <int GROUP>
__device__ inline int64_t group_count() {
  return static_cast<int64_t>(gridDim.x) * blockDim.x / GROUP;
}

inline constexpr int row_threads = 256;            ///< of a block of a row kernel
inline constexpr int64_t longest_warp_row = 1024;  ///< longer rows take a block

/// Calls f.template operator()<GROUP>(blocks) with the group that suits rows of n elements. The
/// kernel walks rows from first_group() in steps of group_count().
template <class F>
void with_row_group(int64_t rows, int64_t n, F&& f) {
  constexpr int64_t most_blocks = 1 << 16, warps = row_threads / 32;
  const auto blocks = [](int64_t wanted) {
    return static_cast<unsigned>(wanted < most_blocks ? wanted : most_blocks);
  };
  if (n <= longest_warp_row)
    f.template operator()<32>(blocks((rows + warps - 1) / warps));
  else
    f.template operator()<row_threads>(blocks(rows));
}

/// The sum of term(v) over the values of a row of n elements, for all threads of the group.
/// `read(i)` gives the pack at i. Short runs are summed in A and added in double, so that rounding
/// errors of long rows do not pile up.
template <int GROUP, int V, class A, class Read, class Term>
__device__ inline double group_sum(int64_t n, Read read, Term term) {
  constexpr int run = 16;
  double total = 0;
  for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < n;) {
    A part[V] = {};
#pragma unroll 4
    for (int r = 0; r < run && i < n; ++r, i += int64_t{GROUP} * V) {
      const auto x = read(i);
#pragma unroll
      for (int k = 0; k < V; ++k) part[k] += term(x.v[k]);
    }
#pragma unroll
    for (int k = 1; k < V; ++k) part[0] += part[k];
    total += static_cast<double>(part[0]);
  }
  return group_reduce<GROUP>(total, Plus{});
}

/// The largest element of a row, -inf for none, NaN if there is one.
template <int GROUP, int V, class T>
__device__ inline Accumulator<T> group_max(const T* row, int64_t n) {
  Accumulator<T> m = -std::numeric_limits<Accumulator<T>>::infinity();
  for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < n; i += int64_t{GROUP} * V) {
    const Vector<T, V> p = load<V>(row + i);
#pragma unroll
    for (int k = 0; k < V; ++k) m = Larger{}(m, p.v[k]);
  }
  return group_reduce<GROUP>(m, Larger{});
}

/// log(sum(exp(x))) of a row; the row is read twice, the second time from a cache.
template <int GROUP, int V, class T>
__device__ inline Accumulator<T> group_logsumexp(const T* row, int64_t n) {
  using A = Accumulator<T>;
  A m = group_max<GROUP, V>(row, n);
  if (m - m != 0) m = 0;  // -inf: every term is 0; +inf: one is +inf; NaN: so is one
  const double total = group_sum<GROUP, V, A>(
      n, [row](int64_t i) { return load<V>(row + i); }, [m](A v) { return math::exp(v - m); });
  return static_cast<A>(std::log(total)) + m;
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
