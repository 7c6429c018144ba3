#pragma once

#include "cuda/gemm/tile.cuh"

/// @file
/// Sums over the columns of a product while it is stored: what batch normalisation needs of a
/// convolution's output, without reading it again. In fixed order, so with the same bits every
/// time.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Where the sums of each row of tiles go; sum_columns adds those up. Values are taken relative to
/// `shift`, which should be near their mean: sums of squares then do not cancel.
struct ColumnSumsOut {
  float* partial = nullptr;      // [tiles_m, 2, pitch]: sums and sums of squares; null for none
  const float* shift = nullptr;  // [pitch]; null for zeros
  int pitch = 0;
};

/// One thread's part of the column sums of its tile.
template <class Math>
class ColumnSums {
  static constexpr int groups = Math::column_groups, chunk = Math::chunk;

 public:
  /// `col`, `cols`: first column of the chunk in the product, columns there are.
  template <class Sum>
  __device__ void add(const ColumnSumsOut& out, int group, int col, int cols,
                      const Sum (&values)[chunk]) {
#pragma unroll
    for (int e = 0; e < chunk; ++e) {
      const float shift = out.shift && col + e < cols ? out.shift[col + e] : 0.0f;
      const float v = static_cast<float>(values[e]) - shift;
#pragma unroll
      for (int g = 0; g < groups; ++g) {  // `group` is known only once the caller is unrolled
        if (g != group) continue;
        sum_[g][e] += v;
        square_[g][e] += v * v;
      }
    }
  }

  /// Adds up the lanes, then the warps, of the block; all threads call. `tile_col`: first column of
  /// the chunk of group 0 in the tile.
  __device__ void store(const ColumnSumsOut& out, unsigned char* scratch, int warp_row,
                        int tile_col, int tile_row, int first_col, int cols) {
    float* sums = reinterpret_cast<float*>(scratch);  // [warps_m, 2, cols of the tile]
    Math::sync();
#pragma unroll
    for (int g = 0; g < groups; ++g)
#pragma unroll
      for (int e = 0; e < chunk; ++e) {
#pragma unroll
        for (int step = Math::lanes_per_row; step < 32; step *= 2) {
          sum_[g][e] += __shfl_xor_sync(~0u, sum_[g][e], step);
          square_[g][e] += __shfl_xor_sync(~0u, square_[g][e], step);
        }
        if (int(threadIdx.x) % 32 < Math::lanes_per_row) {
          float* to = sums + warp_row * 2 * Math::cols + tile_col + 32 * g + e;
          to[0] = sum_[g][e];
          to[Math::cols] = square_[g][e];
        }
      }
    Math::sync();
    for (int i = int(threadIdx.x); i < 2 * Math::cols; i += Math::threads) {
      const int col = first_col + i % Math::cols;
      float total = 0;
#pragma unroll
      for (int w = 0; w < Math::warps_m; ++w) total += sums[w * 2 * Math::cols + i];
      if (col < cols)
        out.partial[(tile_row * 2 + i / Math::cols) * int64_t{out.pitch} + col] = total;
    }
  }

 private:
  float sum_[groups][chunk] = {}, square_[groups][chunk] = {};
};

/// mean and (biased) variance [columns] from the sums of `rows` rows in `tiles` rows of tiles. A
/// block takes 32 columns; its lines of threads share the tiles, and add in double.
template <int lines>
__global__ void __launch_bounds__(32 * lines)
    finish_column_sums(int columns, int tiles, double rows, const ColumnSumsOut sums, float* mean,
                       float* variance) {
  CYTOGRAD_SHARED(double, part, [2][lines][32]);
  const int lane = int(threadIdx.x) % 32, line = int(threadIdx.x) / 32;
  const int col = int(blockIdx.x) * 32 + lane;
  double sum = 0, square = 0;
  for (int t = line; t < tiles && col < columns; t += lines) {
    const float* from = sums.partial + int64_t{t} * 2 * sums.pitch + col;
    sum += from[0];
    square += from[sums.pitch];
  }
  part[0][line][lane] = sum;
  part[1][line][lane] = square;
  __syncthreads();
  if (line != 0 || col >= columns) return;
  for (int l = 1; l < lines; ++l) sum += part[0][l][lane], square += part[1][l][lane];
  const double offset = sum / rows, spread = square / rows - offset * offset;
  mean[col] = static_cast<float>(offset + (sums.shift ? sums.shift[col] : 0.0f));
  variance[col] = static_cast<float>(spread < 0 ? 0.0 : spread);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
