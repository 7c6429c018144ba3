#pragma once

#include "cuda/core/ptx.cuh"
#include "cuda/gemm/tile.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Tensor cores by wgmma (sm_90a), bfloat16 with float32 sums. Two warpgroups consume: each owns 64
/// rows and all columns of the tile, so that every element of B is read from shared memory twice
/// and of A once. A thread's sums lie as in mma.sync: 16 rows x 8 columns per warp and group of 4.
template <int Columns>
class WgmmaMath {
 public:
  using Element = bfloat16;
  using Sum = float;
  static constexpr int rows = 128, cols = Columns, depth = 64;
  static constexpr int threads = 256;  // that consume
  static constexpr int chunk = 8, lanes_per_row = 4, column_groups = Columns / 32, warps_m = 8;
  static constexpr bool sums_columns = Columns <= 128;  // the registers
  static constexpr Swizzle swizzle(Along) { return Swizzle::lines; }

 private:
  static constexpr int slab_cols = 32, slab_pitch = slab_cols + 8, slab = 16 * slab_pitch;

 public:
  static constexpr int scratch_bytes = 8 * slab * int(sizeof(float));

  static __device__ void sync() { named_barrier_sync(1, threads); }
  __device__ int warp_row() const { return int(threadIdx.x) / 32; }

  /// Starts the products of one stage. `first`: the sums begin here.
  template <class TileA, class TileB>
  __device__ void step(const unsigned char* a, const unsigned char* b, bool first) {
    constexpr bool a_rows = TileA::along == Along::rows, b_rows = TileB::along == Along::rows;
    // Along the rows a panel holds 64 rows; the next panel of B is all its lines further on.
    constexpr uint32_t panel_bytes = depth * 128;
    const unsigned char* mine = a + int(threadIdx.x) / 128 * (64 * 128);
    const uint64_t left = wgmma_descriptor(mine, 1024, panel_bytes);
    const uint64_t right = wgmma_descriptor(b, 1024, panel_bytes);
    constexpr int a_next = a_rows ? 128 : 2, b_next = b_rows ? 128 : 2;  // 16 k, in 16 bytes
    wgmma_hold(sum_);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < depth / 16; ++k)
      wgmma_bf16<a_rows, b_rows>(sum_, left + uint64_t(k * a_next), right + uint64_t(k * b_next),
                                 !first || k > 0);
    wgmma_commit();
    wgmma_hold(sum_);
  }

  /// After the wait for all products, before the sums are read.
  __device__ void hold() { wgmma_hold(sum_); }

  /// As MmaMath: chunks of 8 columns, through a slab of 16 x 32 of each warp.
  template <class F>
  __device__ void for_each_chunk(unsigned char* scratch, const F& f) {
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    float* mine = reinterpret_cast<float*>(scratch) + warp * slab;  // [16][slab_pitch]
#pragma unroll
    for (int g = 0; g < column_groups; ++g) {
      __syncwarp();
#pragma unroll
      for (int j = 0; j < slab_cols / 8; ++j) {
        const float* s = sum_ + (g * slab_cols / 8 + j) * 4;
        float* to = mine + lane / 4 * slab_pitch + 8 * j + lane % 4 * 2;
        st16(to, float2{s[0], s[1]});
        st16(to + 8 * slab_pitch, float2{s[2], s[3]});
      }
      __syncwarp();
#pragma unroll
      for (int r = lane / lanes_per_row; r < 16; r += 32 / lanes_per_row) {
        float values[chunk];
        const int col = lane % lanes_per_row * chunk;
#pragma unroll
        for (int e = 0; e < chunk; e += 4) {
          const auto four = ld16<Chunk<float>>(mine + r * slab_pitch + col + e);
#pragma unroll
          for (int q = 0; q < 4; ++q) values[e + q] = four.v[q];
        }
        f(16 * warp + r, g * slab_cols + col, g, values);
      }
    }
  }

 private:
  float sum_[Columns / 2];
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
