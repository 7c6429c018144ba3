#pragma once

#include "cuda/core/ptx.cuh"

// Kernels with one fault each, which `broken` switches on. The correct twin must give no report.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// y[i] = x of the neighbour i ^ 33 of the same block, through shared memory.
template <bool broken>
__global__ void missing_barrier(const float* x, float* y) {
  CYTOGRAD_SHARED(float, s, [128]);
  const unsigned t = threadIdx.x;
  s[t] = x[t];
  if (!broken) __syncthreads();
  y[t] = s[t ^ 33];
}

/// Running sums over tiles; the tile is filled again before everybody has read it.
template <bool broken>
__global__ void missing_barrier_before_refill(const float* x, float* y, int tiles) {
  CYTOGRAD_SHARED(float, s, [128]);
  const unsigned t = threadIdx.x;
  float sum = 0;
  for (int i = 0; i < tiles; ++i) {
    s[t] = x[i * 128 + static_cast<int>(t)];
    __syncthreads();
    sum += s[127 - t];
    if (!broken) __syncthreads();
  }
  y[t] = sum;
}

/// Transposes a 16x8 tile; the row is forgotten in the index.
template <bool broken>
__global__ void wrong_index(const float* x, float* y) {
  CYTOGRAD_SHARED(float, s, [128]);
  const unsigned c = threadIdx.x, r = threadIdx.y;
  s[broken ? c : r * 16 + c] = x[r * 16 + c];
  __syncthreads();
  y[c * 8 + r] = s[r * 16 + c];
}

/// y = 2 x with one element too many.
template <bool broken>
__global__ void off_by_one_tail(const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (broken ? i <= n : i < n) y[i] = 2 * (i < n ? x[i] : 0.0f);
}

/// Sum of n < 128 numbers by a tree over 128; the tail is not set to 0.
template <bool broken>
__global__ void uninitialised_shared(const float* x, float* y, unsigned n) {
  CYTOGRAD_SHARED(float, s, [128]);
  const unsigned t = threadIdx.x;
  if (t < n)
    s[t] = x[t];
  else if (!broken)
    s[t] = 0;
  for (unsigned half = 64; half; half /= 2) {
    __syncthreads();
    if (t < half) s[t] += s[t + half];
  }
  if (t == 0) y[0] = s[0];
}

/// Sum of a warp with the mask of half of it.
template <bool broken>
__global__ void wrong_shuffle_mask(const float* x, float* y) {
  float v = x[threadIdx.x];
  for (int d = 16; d; d /= 2) v += __shfl_xor_sync(broken ? 0xffffu : ~0u, v, d);
  y[threadIdx.x] = v;
}

/// Histogram with an ordinary addition.
template <bool broken>
__global__ void plain_addition(const float* x, float* y) {
  const int bin = static_cast<int>(x[blockIdx.x * blockDim.x + threadIdx.x]) % 4;
  if (broken)
    y[bin] += 1;
  else
    atomicAdd(&y[bin], 1.0f);
}

/// Tiles by cp.async, one group ahead; the wait leaves the present one under way.
template <bool broken>
__global__ void copy_not_awaited(const float* x, float* y, int tiles) {
  CYTOGRAD_SHARED(float, s, [2][128]);
  const unsigned t = threadIdx.x;
  float sum = 0;
  cp_async16(&s[0][4 * t], x + 4 * t);
  cp_async_commit();
  for (int i = 0; i < tiles; ++i) {
    if (i + 1 < tiles) cp_async16(&s[(i + 1) % 2][4 * t], x + (i + 1) * 128 + 4 * t);
    cp_async_commit();
    cp_async_wait<broken ? 2 : 1>();
    __syncwarp();
    sum += s[i % 2][127 - t];
    __syncwarp();
  }
  cp_async_wait<0>();
  y[t] = sum;
}

/// Two buffers in turn: a fast warp fills the one that a slow warp still reads.
template <bool broken>
__global__ void double_buffer(const float* x, float* y, int tiles) {
  CYTOGRAD_SHARED(float, s, [2][128]);
  const unsigned t = threadIdx.x;
  float sum = 0;
  s[0][t] = x[t];
  __syncthreads();
  for (int i = 0; i < tiles; ++i) {
    if (i + 1 < tiles) s[(i + 1) % 2][t] = x[(i + 1) * 128 + static_cast<int>(t)];
    if (!broken) __syncthreads();
    sum += s[i % 2][127 - t];
    if (!broken || i % 2 == 0) __syncthreads();
  }
  y[t] = sum;
}

/// A TMA tile is used without waiting for its mbarrier.
template <bool broken>
__global__ void full_ignored(const __grid_constant__ TensorMap map, float* y) {
  CYTOGRAD_DYNAMIC_SHARED(float, tile);
  CYTOGRAD_SHARED(uint64_t, full);
  if (threadIdx.x == 0) {
    mbarrier_init(&full, 1);
    mbarrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    mbarrier_arrive_expect(&full, 512);
    tma_load_2d(tile, map, &full, 0, 0);
  }
  if (!broken) mbarrier_wait(&full, 0);
  y[threadIdx.x] = tile[threadIdx.x];
  mbarrier_wait(&full, 0);
}

/// The producer of a one-stage pipeline does not wait until the stage is empty.
template <bool broken>
__global__ void empty_ignored(const float* x, float* y, int tiles) {
  CYTOGRAD_SHARED(float, s, [64]);
  CYTOGRAD_SHARED(uint64_t, full);
  CYTOGRAD_SHARED(uint64_t, empty);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    mbarrier_init(&full, 64);
    mbarrier_init(&empty, 64);
    mbarrier_init_fence();
  }
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < tiles; ++i) {
    const auto parity = static_cast<uint32_t>(i % 2);
    if (t >= 64) {
      if (!broken) mbarrier_wait(&empty, parity ^ 1);
      s[t - 64] = x[i * 64 + t - 64];
      mbarrier_arrive(&full);
    } else {
      mbarrier_wait(&full, parity);
      sum += s[63 - t];
      mbarrier_arrive(&empty);
    }
  }
  if (t < 64) y[t] = sum;
}

/// One element per thread of A A^T, for rows of 64 equal numbers: written by ordinary stores,
/// multiplied by wgmma.
template <bool broken>
__global__ void missing_proxy_fence(const float* x, float* y) {
  CYTOGRAD_DYNAMIC_SHARED(unsigned char, tile);
  const int t = static_cast<int>(threadIdx.x);
  for (int i = t; i < 64 * 8; i += 128) {  // all of a row is equal: no need to swizzle
    Pack<bfloat16, 8> chunk;
    for (auto& v : chunk.v) v = to_bfloat16(x[i / 8]);
    st16(tile + i * 16, chunk);
  }
  if (!broken) fence_async_proxy();
  __syncthreads();
  float d[32];
  wgmma_fence();
  for (unsigned k = 0; k < 4; ++k)
    wgmma_bf16(d, wgmma_descriptor(tile) + 2 * k, wgmma_descriptor(tile) + 2 * k, k > 0);
  wgmma_commit();
  wgmma_wait<0>();
  y[t] = d[0];  // row 16 (t / 32) + t % 32 / 4, column 2 (t % 4)
}

/// Threads without work leave before the barrier.
template <bool broken>
__global__ void early_return(const float* x, float* y, int n) {
  CYTOGRAD_SHARED(float, s, [128]);
  const int t = static_cast<int>(threadIdx.x);
  if (broken && t >= n) return;
  s[t] = t < n ? x[t] : 0;
  __syncthreads();
  if (t < n) y[t] = s[n - 1 - t];
}

/// A block reads what another block of the same launch has written.
template <bool broken>
__global__ void blocks_not_ordered(const float* x, float* y) {
  const unsigned i = blockIdx.x * 32 + threadIdx.x;
  y[i] = 2 * x[i];
  if (broken && blockIdx.x == 1) y[i] += y[threadIdx.x];
}

/// Reads through the pointer it is given; the fault is on the host.
__global__ void double_all(const float* x, float* y) { y[threadIdx.x] = 2 * x[threadIdx.x]; }

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
