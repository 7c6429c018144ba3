#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/core/kernel.cuh"

/// @file
/// How kernels walk [outer, rows, channels]: channels along threadIdx.x (a pack each, so that a
/// warp reads consecutive addresses), rows along threadIdx.y. Rows are cut into pieces, one per
/// block, by the sizes alone: sums over rows have the same bits on every device.

namespace cytograd::cuda::inline CYTOGRAD_NS {

inline constexpr int column_threads = 256;

/// The cut, as kernels and launches see it.
struct Columns {
  int64_t outer, rows, channels;
  int64_t blocks;  ///< across the channels
  int64_t rows_per_piece, pieces;
  int width;  ///< threads along the channels, a power of two
  int lines;  ///< threads along the rows

  /// @param pack channels per thread
  /// @param per_thread rows that one thread handles at most, where there are many
  /// @param most_width narrow where few columns hold many rows
  Columns(int64_t outer, int64_t rows, int64_t channels, int pack, int64_t per_thread = 128,
          int most_width = 32)
      : outer(outer), rows(rows), channels(channels), width(1) {
    const int64_t packs = (channels + pack - 1) / pack;
    while (width < most_width && width < packs) width *= 2;
    while (width < column_threads && width < packs && column_threads / width > rows) width *= 2;
    lines = column_threads / width;
    blocks = (packs + width - 1) / width;
    // Enough blocks to fill a device, but no more pieces than rows for all lines.
    constexpr int64_t enough = 2048;
    const int64_t wanted = std::max<int64_t>(1, enough / std::max<int64_t>(1, outer * blocks));
    const int64_t most = std::max<int64_t>(1, (rows + lines - 1) / lines);
    const int64_t least = (rows + lines * per_thread - 1) / (lines * per_thread);
    pieces = std::max<int64_t>(1, std::min(most, std::max(wanted, least)));
    rows_per_piece = (rows + pieces - 1) / pieces;
    if (rows_per_piece > 0) pieces = (rows + rows_per_piece - 1) / rows_per_piece;
  }
  bool empty() const { return outer * rows * channels == 0; }
  dim3 grid() const { return dim3(static_cast<unsigned>(outer * pieces * blocks)); }
  dim3 block() const { return dim3(static_cast<unsigned>(width), static_cast<unsigned>(lines)); }
};

/// The part of one thread.
struct ColumnPart {
  int64_t outer, piece;
  int64_t channel;     ///< first of the pack; beyond the last one for idle threads
  int64_t begin, end;  ///< rows, from which the thread takes every `step`-th
  int step;

  __device__ ColumnPart(const Columns& c, int pack) {
    const int64_t b = blockIdx.x;
    const int64_t in_outer = b / c.blocks;
    outer = in_outer / c.pieces;
    piece = in_outer - outer * c.pieces;
    channel = ((b - in_outer * c.blocks) * c.width + threadIdx.x) * pack;
    const int64_t first = piece * c.rows_per_piece;
    begin = first + threadIdx.y;
    end = first + c.rows_per_piece < c.rows ? first + c.rows_per_piece : c.rows;
    step = c.lines;
  }
};

/// Combines the V values of the threads of one column, in a fixed tree; line 0 holds the result.
/// All threads of the block call it. `shared` has column_threads * V elements.
template <int V, class S, class F>
__device__ inline void combine_lines(S (&value)[V], S* shared, F combine) {
  const int width = static_cast<int>(blockDim.x), x = static_cast<int>(threadIdx.x),
            y = static_cast<int>(threadIdx.y);
  // Value k of a thread lies `column_threads` after value k - 1: neighbours in neighbouring banks.
  const int at = y * width + x;
#pragma unroll
  for (int k = 0; k < V; ++k) shared[k * column_threads + at] = value[k];
  for (int half = static_cast<int>(blockDim.y) / 2; half > 0; half /= 2) {
    __syncthreads();
    if (y < half) {
#pragma unroll
      for (int k = 0; k < V; ++k) {
        S& mine = shared[k * column_threads + at];
        mine = combine(mine, shared[k * column_threads + at + half * width]);
        value[k] = mine;
      }
    }
  }
  __syncthreads();  // `shared` may be written again
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
