#pragma once

#include "cuda/core/kernel.cuh"

// y[r][c] = exp(x[r][c] - m) / sum_c exp(x[r][c] - m), m the maximum of row r, of [rows, cols], in
// versions. docs/cuda.md walks through them.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Version 1: one thread per row. The lanes of a warp read addresses a row apart: a sector each.
__global__ void softmax_1(const float* x, float* y, int rows, int cols) {
  const int r = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (r >= rows) return;
  const float* const in = x + static_cast<int64_t>(r) * cols;
  float* const out = y + static_cast<int64_t>(r) * cols;
  float m = -INFINITY, sum = 0;
  for (int c = 0; c < cols; ++c) m = max(m, in[c]);
  for (int c = 0; c < cols; ++c) sum += fast_exp(in[c] - m);
  for (int c = 0; c < cols; ++c) out[c] = fast_exp(in[c] - m) / sum;
}

/// Combines part[0] to part[127] of a block of 128 in a tree; the total is left in part[0].
/// `neighbours` first adds elements next to each other: the lanes still at work are 2, 4, 8 words
/// apart and share banks. Otherwise the upper half is added to the lower one: neighbouring lanes,
/// different banks.
template <bool neighbours, class Fold>
CYTOGRAD_DEVICE void combine_block(float* part, Fold fold) {
  const unsigned t = threadIdx.x;
  for (unsigned i = 1; i < 128; i *= 2) {
    __syncthreads();
    const unsigned half = neighbours ? i : 64 / i, to = neighbours ? 2 * i * t : t;
    if (t < 64 / i) part[to] = fold(part[to], part[to + half]);
  }
  __syncthreads();
}

/// Versions 2 (neighbours) and 3: one block of 128 threads per row. Neighbouring lanes read
/// neighbouring elements.
template <bool neighbours>
__global__ void __launch_bounds__(128) softmax_block(const float* x, float* y, int rows, int cols) {
  CYTOGRAD_SHARED(float, part, [128]);
  const int t = static_cast<int>(threadIdx.x);
  const float* const in = x + static_cast<int64_t>(blockIdx.x) * cols;
  float* const out = y + static_cast<int64_t>(blockIdx.x) * cols;
  static_cast<void>(rows);
  float m = -INFINITY, sum = 0;
  for (int c = t; c < cols; c += 128) m = max(m, in[c]);
  part[t] = m;
  combine_block<neighbours>(part, [](float a, float b) { return max(a, b); });
  m = part[0];
  for (int c = t; c < cols; c += 128) sum += fast_exp(in[c] - m);
  __syncthreads();  // everybody has read part[0]
  part[t] = sum;
  combine_block<neighbours>(part, [](float a, float b) { return a + b; });
  sum = part[0];
  for (int c = t; c < cols; c += 128) out[c] = fast_exp(in[c] - m) / sum;
}

/// Version 4: one warp per row. Shuffles need neither shared memory nor barriers.
__global__ void softmax_4(const float* x, float* y, int rows, int cols) {
  const int r = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  if (r >= rows) return;  // the whole warp
  const float* const in = x + static_cast<int64_t>(r) * cols;
  float* const out = y + static_cast<int64_t>(r) * cols;
  float m = -INFINITY, sum = 0;
  for (int c = lane; c < cols; c += 32) m = max(m, in[c]);
  for (int d = 16; d; d /= 2) m = max(m, __shfl_xor_sync(~0u, m, d));
  for (int c = lane; c < cols; c += 32) sum += fast_exp(in[c] - m);
  for (int d = 16; d; d /= 2) sum += __shfl_xor_sync(~0u, sum, d);
  for (int c = lane; c < cols; c += 32) out[c] = fast_exp(in[c] - m) / sum;
}

/// Version 5: reads 16 bytes per lane and keeps the row in registers, so that it crosses the memory
/// bus once each way. cols <= 1024 and a multiple of 4; x and y at multiples of 16 bytes.
__global__ void softmax_5(const float* x, float* y, int rows, int cols) {
  constexpr int loads = 8;
  const int r = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / 32);
  const int lane = static_cast<int>(threadIdx.x % 32);
  if (r >= rows) return;
  const float* const in = x + static_cast<int64_t>(r) * cols;
  float* const out = y + static_cast<int64_t>(r) * cols;
  float4 v[loads];
  float m = -INFINITY, sum = 0;
  CYTOGRAD_UNROLL
  for (int i = 0; i < loads; ++i) {
    const int c = (i * 32 + lane) * 4;
    v[i] =
        c < cols ? ld16<float4>(in + c) : make_float4(-INFINITY, -INFINITY, -INFINITY, -INFINITY);
    m = max(m, max(max(v[i].x, v[i].y), max(v[i].z, v[i].w)));
  }
  for (int d = 16; d; d /= 2) m = max(m, __shfl_xor_sync(~0u, m, d));
  CYTOGRAD_UNROLL
  for (int i = 0; i < loads; ++i) {
    v[i] = make_float4(fast_exp(v[i].x - m), fast_exp(v[i].y - m), fast_exp(v[i].z - m),
                       fast_exp(v[i].w - m));
    sum += (v[i].x + v[i].y) + (v[i].z + v[i].w);
  }
  for (int d = 16; d; d /= 2) sum += __shfl_xor_sync(~0u, sum, d);
  CYTOGRAD_UNROLL
  for (int i = 0; i < loads; ++i) {
    const int c = (i * 32 + lane) * 4;
    if (c < cols)
      st16(out + c, make_float4(v[i].x / sum, v[i].y / sum, v[i].z / sum, v[i].w / sum));
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
