#pragma once

#include "cuda/core/ptx.cuh"
#include "cuda/gemm/tile.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Tensor cores by mma.sync (sm_80 and later): bfloat16 by m16n8k16, float as TF32 by m16n8k8, sums
/// in float32. A warp owns 16 TilesM rows and 8 TilesN columns. In the 16-byte chunks of a tile
/// both instructions look alike: a fragment of A is 16 rows x 2 chunks of depth, of B 8 columns x 2
/// chunks.
template <class T, int WarpsM, int WarpsN, int TilesM, int TilesN, int Blocks>
class MmaMath {
  static constexpr int warp_cols = 8 * TilesN;

 public:
  using Element = T;
  using Sum = float;
  static constexpr int rows = WarpsM * 16 * TilesM, cols = WarpsN * warp_cols;
  static constexpr int depth = 128 / int(sizeof(T)), threads = 32 * WarpsM * WarpsN;
  static constexpr int blocks = Blocks;  // resident on a multiprocessor: bounds the registers
  static constexpr int chunk = per_chunk<T>, column_groups = 1, warps_m = WarpsM;
  static constexpr Swizzle swizzle(Along along) {
    return sizeof(T) == 4 && along == Along::rows ? Swizzle::pairs : Swizzle::lines;
  }

 private:
  // The epilogue passes 16 rows of a warp at a time through shared memory, to store whole chunks.
  // The pitch spreads the 8-byte writes of a half warp over all banks.
  static constexpr int slab_pitch = warp_cols + 8, slab = 16 * slab_pitch;

 public:
  static constexpr int scratch_bytes = WarpsM * WarpsN * slab * int(sizeof(float));
  static constexpr bool sums_columns = true;
  static constexpr int lanes_per_row =
      warp_cols / chunk;  // lanes that share columns lie so far apart

  __device__ MmaMath() {
    lane_ = int(threadIdx.x) % 32;
    warp_ = int(threadIdx.x) / 32;
    row_ = warp_ / WarpsN * (16 * TilesM);
    col_ = warp_ % WarpsN * warp_cols;
  }

  static __device__ void sync() { __syncthreads(); }
  __device__ int warp_row() const { return warp_ / WarpsN; }

  template <class TileA, class TileB>
  __device__ void step(const unsigned char* a, const unsigned char* b) {
    constexpr int width = 2 * per_chunk<T>;  // depth of one instruction
#pragma unroll 2
    for (int k = 0; k < depth; k += width) {
      uint32_t left[TilesM][4], right[TilesN][2];
#pragma unroll
      for (int i = 0; i < TilesM; ++i) read_a<TileA>(a, row_ + 16 * i, k, left[i]);
#pragma unroll
      for (int j = 0; j < TilesN; j += 2) read_b<TileB>(b, col_ + 8 * j, k, right[j], right[j + 1]);
#pragma unroll
      for (int i = 0; i < TilesM; ++i)
#pragma unroll
        for (int j = 0; j < TilesN; ++j) {
          if constexpr (sizeof(T) == 2)
            mma_m16n8k16_bf16(sum_[i][j], left[i], right[j]);
          else
            mma_m16n8k8_tf32(sum_[i][j], left[i], right[j]);
        }
    }
  }

  /// Calls f(row, column, group, values) for chunks of neighbouring columns; all lanes call
  /// together.
  template <class F>
  __device__ void for_each_chunk(unsigned char* scratch, const F& f) {
    float* mine = reinterpret_cast<float*>(scratch) + warp_ * slab;  // [16][slab_pitch]
    constexpr int rows_at_once = 32 / lanes_per_row;
    const int row = lane_ / lanes_per_row, col = lane_ % lanes_per_row * chunk;
#pragma unroll
    for (int i = 0; i < TilesM; ++i) {
      __syncwarp();
      write_slab(mine, i);
      __syncwarp();
#pragma unroll
      for (int r = row; r < 16; r += rows_at_once) {
        float values[chunk];
#pragma unroll
        for (int e = 0; e < chunk; e += 4) {
          const auto four = ld16<Chunk<float>>(mine + r * slab_pitch + col + e);
#pragma unroll
          for (int q = 0; q < 4; ++q) values[e + q] = four.v[q];
        }
        f(row_ + 16 * i + r, col_ + col, 0, values);
      }
    }
  }

 private:
  // 16 x 8 sums: lane l holds columns 2 (l % 4) and the next of rows l / 4 and l / 4 + 8.
  __device__ void write_slab(float* slab, int i) const {
    const int row = lane_ / 4, col = lane_ % 4 * 2;
#pragma unroll
    for (int j = 0; j < TilesN; ++j) {
      const float* s = sum_[i][j];
      st16(slab + row * slab_pitch + 8 * j + col, float2{s[0], s[1]});
      st16(slab + (row + 8) * slab_pitch + 8 * j + col, float2{s[2], s[3]});
    }
  }

  // [16 rows][2 chunks of depth]
  template <class Tile>
  __device__ void read_a(const unsigned char* tile, int row, int k, uint32_t (&to)[4]) const {
    constexpr int n = per_chunk<T>;
    if constexpr (Tile::along == Along::depth) {
      ldmatrix_x4(to, tile + Tile::at(row + lane_ % 16, k + lane_ / 16 * n));
    } else if constexpr (sizeof(T) == 2) {
      ldmatrix_x4_trans(to,
                        tile + Tile::at(row + lane_ / 8 % 2 * 8, k + lane_ / 16 * 8 + lane_ % 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        to[i] = word<Tile>(tile, row + lane_ / 4 + i % 2 * 8, k + lane_ % 4 + i / 2 * 4);
    }
    if constexpr (sizeof(T) == 4) round(to);
  }

  // [16 columns][2 chunks of depth]: two fragments
  template <class Tile>
  __device__ void read_b(const unsigned char* tile, int col, int k, uint32_t (&first)[2],
                         uint32_t (&second)[2]) const {
    constexpr int n = per_chunk<T>;
    uint32_t to[4];
    if constexpr (Tile::along == Along::depth) {
      ldmatrix_x4(to, tile + Tile::at(col + lane_ / 16 * 8 + lane_ % 8, k + lane_ / 8 % 2 * n));
    } else if constexpr (sizeof(T) == 2) {
      ldmatrix_x4_trans(to,
                        tile + Tile::at(col + lane_ / 16 * 8, k + lane_ / 8 % 2 * 8 + lane_ % 8));
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i)
        to[i] = word<Tile>(tile, col + lane_ / 4 + i / 2 * 8, k + lane_ % 4 + i % 2 * 4);
    }
    if constexpr (sizeof(T) == 4) round(to);
    first[0] = to[0], first[1] = to[1], second[0] = to[2], second[1] = to[3];
  }

  template <class Tile>
  static __device__ uint32_t word(const unsigned char* tile, int row, int k) {
    return *reinterpret_cast<const uint32_t*>(tile + Tile::at(row, k));
  }
  // To 10 mantissa bits, to nearest: the instruction itself would cut them off.
  static __device__ void round(uint32_t (&x)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) x[i] = to_tf32(__uint_as_float(x[i]));
  }

  float sum_[TilesM][TilesN][4] = {};
  int lane_, warp_, row_, col_;
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
