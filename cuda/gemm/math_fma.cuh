#pragma once

#include "cuda/gemm/tile.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Exact float32 or float64 on the CUDA cores. A warp is 4 x 8 threads; a thread owns 4 GroupsM
/// rows and 4 GroupsN columns of the tile, in groups of 4 neighbours that lie 16 rows and 32
/// columns apart. Per 16 bytes of depth it reads 4 (GroupsM + GroupsN) chunks for 64 GroupsM
/// GroupsN multiply-adds (float, 2 x 2: 16 loads for 256).
template <class T, int GroupsM, int GroupsN, int WarpsM, int WarpsN>
class FmaMath {
 public:
  using Element = T;
  using Sum = T;
  static constexpr int rows = WarpsM * 16 * GroupsM, cols = WarpsN * 32 * GroupsN;
  static constexpr int depth = 128 / int(sizeof(T)), threads = 32 * WarpsM * WarpsN;
  // Blocks resident on a multiprocessor: 128 registers do not hold 64 sums and what feeds them.
  static constexpr int blocks = GroupsM * GroupsN == 4 && sizeof(T) == 4 ? 1 : 2;
  static constexpr Swizzle swizzle(Along) { return Swizzle::fours; }
  static constexpr int scratch_bytes = 0, chunk = 4;
  // For sums over columns: lanes that share columns, groups of columns of a thread, rows of warps.
  static constexpr bool sums_columns = true;
  static constexpr int lanes_per_row = 8, column_groups = GroupsN, warps_m = WarpsM;

  __device__ FmaMath() {
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    row_ = warp / WarpsN * (16 * GroupsM) + lane / 8 * 4;
    col_ = warp % WarpsN * (32 * GroupsN) + lane % 8 * 4;
  }

  static __device__ void sync() { __syncthreads(); }
  __device__ int warp_row() const { return row_ / (16 * GroupsM); }

  template <class TileA, class TileB>
  __device__ void step(const unsigned char* a, const unsigned char* b) {
    constexpr int step = per_chunk<T>;
#pragma unroll 2
    for (int k = 0; k < depth; k += step) {
      T left[4 * GroupsM][step];
#pragma unroll
      for (int g = 0; g < GroupsM; ++g) read<TileA>(a, row_ + 16 * g, k, &left[4 * g]);
#pragma unroll
      for (int g = 0; g < GroupsN; ++g) {
        T right[4][step];
        read<TileB>(b, col_ + 32 * g, k, right);
#pragma unroll
        for (int e = 0; e < step; ++e)
#pragma unroll
          for (int i = 0; i < 4 * GroupsM; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) sum_[i][4 * g + j] += left[i][e] * right[j][e];
      }
    }
  }

  /// Calls f(row, column, group, values): `chunk` neighbouring columns of a row of the tile, in the
  /// column group `group`.
  template <class F>
  __device__ void for_each_chunk(unsigned char*, const F& f) {
#pragma unroll
    for (int i = 0; i < 4 * GroupsM; ++i)
#pragma unroll
      for (int g = 0; g < GroupsN; ++g) {
        const T* s = &sum_[i][4 * g];
        T values[4] = {s[0], s[1], s[2], s[3]};
        f(row_ + i / 4 * 16 + i % 4, col_ + 32 * g, g, values);
      }
  }

 private:
  // [4 rows][16 bytes of depth], whichever way the tile lies.
  template <class Tile>
  static __device__ void read(const unsigned char* tile, int row, int k, T (*to)[per_chunk<T>]) {
    constexpr int step = per_chunk<T>;
    if constexpr (Tile::along == Along::depth) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const auto pack = ld16<Chunk<T>>(tile + Tile::at(row + i, k));
#pragma unroll
        for (int e = 0; e < step; ++e) to[i][e] = pack.v[e];
      }
    } else {
#pragma unroll
      for (int e = 0; e < step; ++e)
#pragma unroll
        for (int i = 0; i < 4; i += step) {
          const auto pack = ld16<Chunk<T>>(tile + Tile::at(row + i, k + e));
#pragma unroll
          for (int j = 0; j < step; ++j) to[i + j][e] = pack.v[j];
        }
    }
  }

  T sum_[4 * GroupsM][4 * GroupsN] = {};
  int row_, col_;
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
