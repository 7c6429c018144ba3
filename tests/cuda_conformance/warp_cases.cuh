#pragma once

#include "cuda/teaching/softmax.cuh"
#include "cuda/teaching/transpose.cuh"
#include "cuda_conformance/case.h"
#include "cuda_conformance/device.cuh"

// Instructions of sm_80: matrix products of a warp, matrix moves, cp.async, named barriers, vector
// atomics; and stmatrix of sm_90.

namespace cytograd::conformance::inline CYTOGRAD_NS {

__global__ void mma_bf16_kernel(uint32_t* out) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  uint32_t a[4], b[2];
  for (int i = 0; i < 4; ++i) {
    const int row = g + i % 2 * 8, k = 2 * t + i / 2 * 8;
    a[i] = pair(element(0, row, k), element(0, row, k + 1));
  }
  for (int i = 0; i < 2; ++i)
    b[i] = pair(element(1, 2 * t + 8 * i, g), element(1, 2 * t + 8 * i + 1, g));
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = element(2, g + i / 2 * 8, 2 * t + i % 2);
  cuda::mma_m16n8k16_bf16(d, a, b);
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = bits_of(d[i]);
}

__global__ void mma_tf32_kernel(uint32_t* out) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  uint32_t a[4], b[2];
  for (int i = 0; i < 4; ++i)
    a[i] = cuda::to_tf32(element(0, g + i % 2 * 8, t + i / 2 * 4)) | 0x1fffu;  // low bits ignored
  for (int i = 0; i < 2; ++i) b[i] = cuda::to_tf32(element(1, t + 4 * i, g));
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = element(2, g + i / 2 * 8, 2 * t + i % 2);
  cuda::mma_m16n8k8_tf32(d, a, b);
  for (int i = 0; i < 4; ++i) out[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = bits_of(d[i]);
}

__global__ void to_tf32_kernel(uint32_t* out) {
  const uint32_t bits = 0x3f800000u + threadIdx.x * 0x801u;  // halves and their neighbours
  float x;
  std::memcpy(&x, &bits, sizeof x);
  out[threadIdx.x] = cuda::to_tf32(x) & 0xffffe000u;
}

__global__ void mma_f64_kernel(uint32_t* out) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  double d[2] = {element(2, g, 2 * t), element(2, g, 2 * t + 1)};
  cuda::mma_m8n8k4_f64(d, element(0, g, t), element(1, t, g));
  for (int i = 0; i < 2; ++i) out[g * 8 + 2 * t + i] = bits_of(static_cast<float>(d[i]));
}

template <bool transposed>
__global__ void ldmatrix_kernel(uint32_t* out) {
  CYTOGRAD_SHARED(uint16_t, m, [32][24]);
  const int lane = static_cast<int>(threadIdx.x);
  for (int j = 0; j < 8; ++j) m[lane][j] = static_cast<uint16_t>(lane * 8 + j);
  __syncwarp();
  uint32_t r[4];
  if constexpr (transposed)
    cuda::ldmatrix_x4_trans(r, m[lane]);
  else
    cuda::ldmatrix_x4(r, m[lane]);
  for (int i = 0; i < 4; ++i) out[lane * 4 + i] = r[i];
}

template <bool transposed>
__global__ void stmatrix_kernel(uint32_t* out) {
  CYTOGRAD_SHARED(uint16_t, m, [32][8]);
  const uint32_t lane = threadIdx.x;
  uint32_t r[4];
  for (uint32_t i = 0; i < 4; ++i) r[i] = (lane * 8 + 2 * i) | (lane * 8 + 2 * i + 1) << 16;
  if constexpr (transposed)
    cuda::stmatrix_x4_trans(m[lane], r);
  else
    cuda::stmatrix_x4(m[lane], r);
  __syncwarp();
  for (int j = 0; j < 8; ++j) out[lane * 8 + static_cast<uint32_t>(j)] = m[lane][j];
}

__global__ void cp_async_kernel(const uint32_t* x, uint32_t* out) {
  CYTOGRAD_SHARED(uint32_t, s, [32][8]);
  const int t = static_cast<int>(threadIdx.x);
  const bool wanted = t % 3 != 0;
  cuda::cp_async16(&s[t][0], x + 8 * t, wanted);
  cuda::cp_async8(&s[t][4], x + 8 * t + 4, wanted);
  cuda::cp_async_commit();
  cuda::cp_async4(&s[t][6], x + 8 * t + 6, wanted);
  cuda::cp_async4(&s[t][7], x + 8 * t + 7);
  cuda::cp_async_commit();
  cuda::cp_async_wait<1>();
  out[t * 8] = s[t][5];
  cuda::cp_async_wait<0>();
  for (int j = 1; j < 8; ++j) out[t * 8 + j] = s[t][j];
}

// Warps 0 and 1 write, warp 2 reads; the writers do not wait.
__global__ void named_barrier_kernel(uint32_t* out) {
  CYTOGRAD_SHARED(uint32_t, s, [64]);
  const unsigned t = threadIdx.x;
  if (t < 64) {
    s[t] = t * t;
    cuda::named_barrier_arrive(3, 96);
  } else {
    cuda::named_barrier_sync(3, 96);
    out[t - 64] = s[t - 64] + s[t - 32];
  }
}

__global__ void red_add_kernel(float* out) {
  const auto v = static_cast<float>(threadIdx.x);
  cuda::red_add_v4(out + threadIdx.x % 2 * 4, make_float4(v, 1, -v, 0.5f));
}

template <class... P>
std::vector<uint32_t> words(void (*kernel)(P...), unsigned threads, size_t count) {
  Buffer<uint32_t> out(std::vector<uint32_t>(count, 0xdeadbeefu));
  launch(kernel, threads, 0, out.data());
  return out.values();
}

inline std::vector<uint32_t> run_cp_async() {
  std::vector<uint32_t> values(256);
  for (uint32_t i = 0; i < 256; ++i) values[i] = i * i + 1;
  Buffer<uint32_t> x(values), out(std::vector<uint32_t>(256));
  launch(cp_async_kernel, 32, 0, x.data(), out.data());
  return out.values();
}

inline std::vector<uint32_t> run_red_add() {
  Buffer<float> out(std::vector<float>(8));
  launch(red_add_kernel, 64, 0, out.data());
  std::vector<uint32_t> result;
  for (const float x : out.values()) result.push_back(bits_of(x));
  return result;
}

// A 20x30 matrix by the last version of the teaching kernels; softmax of zeros, so that the fast
// exponential is exact.
inline std::vector<uint32_t> run_teaching(bool transpose) {
  std::vector<float> values(32 * 32);
  if (transpose)
    for (int i = 0; i < 32 * 32; ++i) values[static_cast<size_t>(i)] = element(0, i / 32, i % 32);
  Buffer<float> x(values), y(std::vector<float>(32 * 32));
  if (transpose)
    launch(cuda::transpose_tile<1>, dim3(32, 8), 0, x.data(), y.data(), 20, 30);
  else
    launch(cuda::softmax_5, 64, 0, x.data(), y.data(), 2, 128);
  std::vector<uint32_t> result;
  for (const float v : y.values()) result.push_back(bits_of(v));
  return result;
}

inline std::vector<Case> warp_cases() {
  return {
      {"mma_bf16", 32, false, [] { return words(mma_bf16_kernel, 32, 128); }},
      {"mma_tf32", 32, false, [] { return words(mma_tf32_kernel, 32, 128); }},
      {"to_tf32", 32, false, [] { return words(to_tf32_kernel, 32, 32); }},
      {"mma_f64", 32, false, [] { return words(mma_f64_kernel, 32, 64); }},
      {"ldmatrix", 32, false, [] { return words(ldmatrix_kernel<false>, 32, 128); }},
      {"ldmatrix_trans", 32, false, [] { return words(ldmatrix_kernel<true>, 32, 128); }},
      {"stmatrix", 32, true, [] { return words(stmatrix_kernel<false>, 32, 256); }},
      {"stmatrix_trans", 32, true, [] { return words(stmatrix_kernel<true>, 32, 256); }},
      {"cp_async", 32, false, run_cp_async},
      {"named_barrier", 96, false, [] { return words(named_barrier_kernel, 96, 32); }},
      {"red_add_v4", 64, false, run_red_add},
      {"transpose_3", 256, false, [] { return run_teaching(true); }},
      {"softmax_5", 64, false, [] { return run_teaching(false); }},
  };
}

}  // namespace cytograd::conformance::inline CYTOGRAD_NS
