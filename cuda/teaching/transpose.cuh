#pragma once

#include "cuda/core/kernel.cuh"

// y[c][r] = x[r][c] of [rows, cols], in versions. docs/cuda.md walks through them;
// tests/cuda/teaching_checked_test.cpp holds the figures quoted there.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Version 1: as the formula says. Block (32, 8) moves a 32x32 tile. A warp reads a row, one run of
/// bytes, but writes a column: every lane its own sector.
__global__ void transpose_1(const float* x, float* y, int rows, int cols) {
  const int c = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
  for (int k = 0; k < 32; k += 8) {
    const int r = static_cast<int>(blockIdx.y * 32 + threadIdx.y) + k;
    if (r < rows && c < cols)
      y[static_cast<int64_t>(c) * rows + r] = x[static_cast<int64_t>(r) * cols + c];
  }
}

/// Versions 2 (padding 0) and 3 (padding 1): turn the tile in shared memory, so that reads and
/// writes of global memory are runs of bytes. Without padding the 32 words of a tile column lie in
/// one bank and are served one after the other; with rows of 33 words they lie in 32 banks.
template <int padding>
__global__ void transpose_tile(const float* x, float* y, int rows, int cols) {
  CYTOGRAD_SHARED(float, tile, [32][32 + padding]);
  const unsigned tx = threadIdx.x, ty = threadIdx.y;
  const int c0 = static_cast<int>(blockIdx.x) * 32, r0 = static_cast<int>(blockIdx.y) * 32;
  for (unsigned k = ty; k < 32; k += 8) {
    const int r = r0 + static_cast<int>(k), c = c0 + static_cast<int>(tx);
    if (r < rows && c < cols) tile[k][tx] = x[static_cast<int64_t>(r) * cols + c];
  }
  __syncthreads();
  for (unsigned k = ty; k < 32; k += 8) {
    const int c = c0 + static_cast<int>(k), r = r0 + static_cast<int>(tx);
    if (r < rows && c < cols) y[static_cast<int64_t>(c) * rows + r] = tile[tx][k];
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
