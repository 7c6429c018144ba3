#pragma once

#include "cuda_conformance/case.h"
#include "cuda_conformance/device.cuh"

// Instructions of sm_90a: mbarrier, TMA, wgmma.

namespace cytograd::conformance::inline CYTOGRAD_NS {

enum TmaKind { tile_2d, tile_3d, tile_4d, columns };
struct At {
  int c[4];
  int tap[2];
};

// One thread asks for a tile; all wait for it and write it out as it lies in shared memory.
template <int kind>
__global__ void tma_kernel(const __grid_constant__ cuda::TensorMap map, At at, uint32_t bytes,
                           uint32_t* out) {
  CYTOGRAD_DYNAMIC_SHARED(unsigned char, tile);
  CYTOGRAD_SHARED(uint64_t, full);
  if (threadIdx.x == 0) {
    cuda::mbarrier_init(&full, 1);
    cuda::mbarrier_init_fence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    cuda::mbarrier_arrive_expect(&full, bytes);
    if constexpr (kind == tile_2d) cuda::tma_load_2d(tile, map, &full, at.c[0], at.c[1]);
    if constexpr (kind == tile_3d) cuda::tma_load_3d(tile, map, &full, at.c[0], at.c[1], at.c[2]);
    if constexpr (kind == tile_4d)
      cuda::tma_load_4d(tile, map, &full, at.c[0], at.c[1], at.c[2], at.c[3]);
    if constexpr (kind == columns)
      cuda::tma_load_im2col(tile, map, &full, at.c[0], at.c[1], at.c[2], at.c[3],
                            static_cast<uint16_t>(at.tap[0]), static_cast<uint16_t>(at.tap[1]));
  }
  cuda::mbarrier_wait(&full, 0);
  const uint32_t* const tile_words = reinterpret_cast<const uint32_t*>(tile);
  for (uint32_t i = threadIdx.x; i < bytes / 4; i += blockDim.x) out[i] = tile_words[i];
}

// A 3x4x5x64 tensor of different 16-bit numbers, n h w c.
constexpr uint32_t tma_n = 3, tma_h = 4, tma_w = 5, tma_c = 64;
inline std::vector<uint16_t> tma_tensor() {
  std::vector<uint16_t> x(tma_n * tma_h * tma_w * tma_c);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i + 1);
  return x;
}

template <int kind>
std::vector<uint32_t> run_tma(int swizzle, At at) {
  const Buffer<uint16_t> x(tma_tensor());
  const uint32_t row = swizzle ? static_cast<uint32_t>(swizzle) / 2 : 16;
  cuda::TiledMap t;
  t.rank = kind + 2;
  t.swizzle = swizzle;
  const uint64_t size[4] = {tma_c, tma_w, tma_h, tma_n};
  const uint32_t box[4] = {row, 7, 3, 2};
  uint64_t pitch = 2;
  uint32_t bytes = 2;
  for (int i = 0; i < t.rank; ++i) {
    t.size[i] = size[i];
    t.pitch[i] = pitch;
    t.box[i] = box[i];
    pitch *= size[i];
    bytes *= box[i];
  }
  const Buffer<uint32_t> out(std::vector<uint32_t>(bytes / 4));
  launch(tma_kernel<kind>, 64, 32 << 10, map_of(x.data(), t), at, bytes, out.data());
  return out.values();
}

// 3x3 filter, padding 1, with the given stride, tap (2, 1); 23 pixels from the last row of image 0
// on.
inline std::vector<uint32_t> run_im2col(uint32_t stride) {
  const Buffer<uint16_t> x(tma_tensor());
  cuda::Im2colMap c;
  c.channels_size = tma_c;
  c.width = tma_w;
  c.height = tma_h;
  c.batch = tma_n;
  c.channels = 64;
  c.pixels = 23;
  c.lower_w = c.lower_h = c.upper_w = c.upper_h = -1;
  c.stride_w = c.stride_h = stride;
  const uint32_t bytes = c.pixels * c.channels * 2;
  const Buffer<uint32_t> out(std::vector<uint32_t>(bytes / 4));
  launch(tma_kernel<columns>, 64, 32 << 10, map_of(x.data(), c), At{{0, 1, 1, 0}, {2, 1}}, bytes,
         out.data());
  return out.values();
}

__global__ void tma_store_kernel(const __grid_constant__ cuda::TensorMap map) {
  CYTOGRAD_DYNAMIC_SHARED(uint16_t, tile);
  for (unsigned i = threadIdx.x; i < 16 * 8; i += blockDim.x) tile[i] = static_cast<uint16_t>(i);
  cuda::fence_async_proxy();
  __syncthreads();
  if (threadIdx.x == 0) {
    cuda::tma_store_2d(map, tile, 8, 5);
    cuda::tma_store_commit();
    cuda::tma_store_wait<0>();
  }
}

inline std::vector<uint32_t> run_tma_store() {
  const Buffer<uint32_t> y(std::vector<uint32_t>(24 / 2 * 10));
  cuda::TiledMap t;
  t.swizzle = 0;
  t.size[0] = 24;
  t.size[1] = 10;
  t.pitch[1] = 48;
  t.box[0] = 16;
  t.box[1] = 8;
  launch(tma_store_kernel, 64, 1024, map_of(y.data(), t));
  return y.values();
}

// Writes an operand [rows, 64 k] into shared memory with 128-byte swizzle. Transposed: each row of
// 128 bytes has 64 rows of one k.
CYTOGRAD_DEVICE void fill_operand(unsigned char* tile, int which, int rows, bool transposed) {
  for (int i = static_cast<int>(threadIdx.x); i < rows * 64; i += 128) {
    const int row = i / 64, k = i % 64;
    const uint32_t offset = static_cast<uint32_t>(
        transposed ? row / 64 * 8192 + k / 8 * 1024 + k % 8 * 128 + row % 64 * 2
                   : row / 8 * 1024 + row % 8 * 128 + k * 2);
    const uint16_t bits = to_bfloat16(element(which, row, k)).bits;
    std::memcpy(tile + (offset ^ ((offset >> 7 & 7) << 4)), &bits, 2);
  }
}

// [64, N] = A[64, 64] B[64, N] in two groups, the first waited for alone.
template <int N, bool ta, bool tb, bool from_registers>
__global__ void __launch_bounds__(128) wgmma_kernel(uint32_t* out) {
  CYTOGRAD_DYNAMIC_SHARED(unsigned char, a);
  unsigned char* const b = a + 64 * 128;
  fill_operand(a, 0, 64, ta);
  fill_operand(b, 1, N, tb);
  cuda::fence_async_proxy();
  __syncthreads();
  const int t = static_cast<int>(threadIdx.x), w = t / 32, l = t % 32;
  float d[N / 2];
  cuda::wgmma_fence();
  for (int k = 0; k < 64; k += 16) {
    const auto step = static_cast<uint64_t>(k / 16);
    const uint64_t db = cuda::wgmma_descriptor(b, 1024, tb ? 8192 : 16) + step * (tb ? 128 : 2);
    if constexpr (from_registers) {
      uint32_t r[4];
      for (int i = 0; i < 4; ++i) {
        const int row = 16 * w + l / 4 + i % 2 * 8, kk = k + l % 4 * 2 + i / 2 * 8;
        r[i] = pair(element(0, row, kk), element(0, row, kk + 1));
      }
      cuda::wgmma_fence();
      cuda::wgmma_bf16<tb>(d, r, db, k > 0);
      cuda::wgmma_commit();
      cuda::wgmma_wait<0>();  // r is written again
    } else {
      const uint64_t da = cuda::wgmma_descriptor(a, 1024, ta ? 8192 : 16) + step * (ta ? 128 : 2);
      cuda::wgmma_bf16<ta, tb>(d, da, db, k > 0);
      if (k % 32) cuda::wgmma_commit();
    }
  }
  cuda::wgmma_wait<1>();
  cuda::wgmma_wait<0>();
  for (int j = 0; j < N / 2; ++j) {
    const int row = 16 * w + l / 4 + j / 2 % 2 * 8, column = j / 4 * 8 + l % 4 * 2 + j % 2;
    out[row * N + column] = bits_of(d[j]);
  }
}

template <int N, bool ta = false, bool tb = false, bool from_registers = false>
std::vector<uint32_t> run_wgmma() {
  const Buffer<uint32_t> out(std::vector<uint32_t>(64 * N));
  const size_t bytes = 64 * 128 + (N < 64 && tb ? 64 : N) * 128;
  launch(wgmma_kernel<N, ta, tb, from_registers>, 128, bytes, out.data());
  return out.values();
}

inline std::vector<Case> hopper_cases() {
  return {
      {"tma_2d", 64, true,
       [] {
         return run_tma<tile_2d>(0, {{8, -2}, {}});
       }},
      {"tma_2d_swizzle_128", 64, true,
       [] {
         return run_tma<tile_2d>(128, {{0, 1}, {}});
       }},
      {"tma_2d_swizzle_64", 64, true,
       [] {
         return run_tma<tile_2d>(64, {{32, 0}, {}});
       }},
      {"tma_2d_swizzle_32", 64, true,
       [] {
         return run_tma<tile_2d>(32, {{16, 0}, {}});
       }},
      {"tma_3d", 64, true,
       [] {
         return run_tma<tile_3d>(128, {{32, -1, 2}, {}});
       }},
      {"tma_4d", 64, true,
       [] {
         return run_tma<tile_4d>(128, {{0, 2, -1, 2}, {}});
       }},
      {"tma_im2col", 64, true, [] { return run_im2col(1); }},
      {"tma_im2col_stride_2", 64, true, [] { return run_im2col(2); }},
      {"tma_store", 64, true, run_tma_store},
      {"wgmma_n32", 128, true, run_wgmma<32>},
      {"wgmma_n64", 128, true, run_wgmma<64>},
      {"wgmma_n128", 128, true, run_wgmma<128>},
      {"wgmma_n256", 128, true, run_wgmma<256>},
      {"wgmma_n128_a_transposed", 128, true, run_wgmma<128, true>},
      {"wgmma_n128_b_transposed", 128, true, run_wgmma<128, false, true>},
      {"wgmma_n64_both_transposed", 128, true, run_wgmma<64, true, true>},
      {"wgmma_n128_a_registers", 128, true, run_wgmma<128, false, false, true>},
      {"wgmma_n64_a_registers_b_transposed", 128, true, run_wgmma<64, false, true, true>},
  };
}

}  // namespace cytograd::conformance::inline CYTOGRAD_NS
