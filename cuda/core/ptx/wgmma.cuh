#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"

#if defined(__CUDACC__)
#include "cuda/core/ptx/wgmma_asm.cuh"
#else
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// wgmma: a warpgroup (128 threads, thread i of it in warp w = i / 32, lane l = i % 32) multiplies
/// bfloat16 tiles with float sums, asynchronously. d[j] is
///   row 16w + l / 4 + 8 (j / 2 % 2), column 8 (j / 4) + 2 (l % 4) + j % 2
/// of the [64, N] result and undefined until the wait (the emulation makes it NaN). sm_90a only.
///
/// Operands in shared memory have rows of 128 bytes with 128-byte swizzle, as TMA writes them, in
/// 1024-byte atoms of 8 rows:
///   not transposed: a row is 64 consecutive k of one m (or n); `stride_bytes` between groups of 8
///   rows. The next 16 k
///     inside the atom: descriptor + 2
///   transposed: a row is 64 consecutive m (or n) of one k; `stride_bytes` between groups of 8 k,
///     `leading_bytes` between groups of 64 m (or n). The next 16 k: descriptor + stride_bytes / 8

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// @param tile in dynamic shared memory, 1024-byte aligned
CYTOGRAD_INSTRUCTION uint64_t wgmma_descriptor(const void* tile, uint32_t stride_bytes = 1024,
                                               uint32_t leading_bytes = 16 CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  const uint32_t address = shared_address(tile);
#else
  const uint32_t address = ::cytograd::simt::shared_address(tile, site);
#endif
  constexpr uint64_t swizzle_128 = uint64_t{1} << 62;
  return (address & 0x3ffff) >> 4 | uint64_t{leading_bytes >> 4} << 16 |
         uint64_t{stride_bytes >> 4} << 32 | swizzle_128;
}

/// Before the first wgmma, and before one that reads registers which ordinary code has written.
CYTOGRAD_INSTRUCTION void wgmma_fence() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90A("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
/// Closes the group of the products since the last commit.
CYTOGRAD_INSTRUCTION void wgmma_commit() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90A("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  ::cytograd::simt::wgmma_commit();
#endif
}
/// Waits until at most `n` groups are under way.
template <int n>
CYTOGRAD_INSTRUCTION void wgmma_wait(CYTOGRAD_ONLY_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(n) : "memory");
#else
  ::cytograd::simt::wgmma_wait(n, site);
#endif
}

/// Ties the sums to this place: the compiler neither reads nor moves them across, which it could
/// otherwise do while products that write them are under way. No instruction.
template <int count>
CYTOGRAD_INSTRUCTION void wgmma_hold(float (&d)[count]) {
#if defined(__CUDACC__)
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(d[i])::"memory");
#else
  static_cast<void>(d);
#endif
}

/// d = A[64, 16] B[16, N] (+ d if `accumulate`), both operands in shared memory. N = 2 * count: 32,
/// 64, 128 or 256.
template <bool a_transposed = false, bool b_transposed = false, int count>
CYTOGRAD_INSTRUCTION void wgmma_bf16(float (&d)[count], uint64_t a, uint64_t b, bool accumulate) {
  static_assert(count == 16 || count == 32 || count == 64 || count == 128);
#if defined(__CUDACC__)
  wgmma_asm<a_transposed, b_transposed>(d, a, b, accumulate);
#else
  ::cytograd::simt::wgmma(
      {d, a, b, 2 * count, accumulate, false, a_transposed, b_transposed, {}, {}, CYTOGRAD_CALLER});
#endif
}
/// The same with A in registers: as a of `mma_m16n8k16_bf16`, warp w holding rows 16w to 16w + 15.
template <bool b_transposed = false, int count>
CYTOGRAD_INSTRUCTION void wgmma_bf16(float (&d)[count], const uint32_t (&a)[4], uint64_t b,
                                     bool accumulate) {
  static_assert(count == 16 || count == 32 || count == 64 || count == 128);
#if defined(__CUDACC__)
  wgmma_asm<b_transposed>(d, a, b, accumulate);
#else
  ::cytograd::simt::wgmma({d,
                           0,
                           b,
                           2 * count,
                           accumulate,
                           true,
                           false,
                           b_transposed,
                           {a[0], a[1], a[2], a[3]},
                           {},
                           CYTOGRAD_CALLER});
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
