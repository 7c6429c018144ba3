#pragma once

#include "cuda/core/kernel.cuh"

/// @file
/// Tiles of operands in shared memory.
///
/// An operand is a matrix [rows, depth]: rows are the m (or n) of the product, depth is its k. A
/// tile keeps the direction that is contiguous in global memory contiguous in shared memory too, so
/// that it can be filled with 16-byte copies from either layout and nothing is ever transposed on
/// the way in.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// The direction in which an operand's elements are neighbours in memory.
enum class Along { depth, rows };

/// 16 bytes of neighbours, moved by one instruction.
template <class T>
inline constexpr int per_chunk = 16 / int(sizeof(T));
template <class T>
using Chunk = Pack<T, per_chunk<T>>;

/// In which order the 16-byte chunks of line l of a tile stand: chunk c is at place c ^ order(l).
enum class Swizzle {
  lines,  ///< l % 8: 8 lines one after the other, as ldmatrix and wgmma read (TMA's 128-byte
          ///< swizzle)
  fours,  ///< l / 4 % 8: threads that own 4 lines each
  pairs   ///< l % 4 * 2 + l / 4 % 2: threads that read two neighbouring chunks of 4 lines
};
template <Swizzle swizzle>
CYTOGRAD_DEVICE constexpr int swizzle_order(int line) {
  if constexpr (swizzle == Swizzle::lines) return line % 8;
  if constexpr (swizzle == Swizzle::fours) return line / 4 % 8;
  return line % 4 * 2 + line / 4 % 2;
}

/// [Rows, Depth] elements as panels of 128-byte lines; a line holds 8 chunks of 16 bytes, permuted
/// so that both a warp that reads one chunk of many lines and one that fills whole lines touch all
/// 32 banks.
template <class T, Along Direction, int Rows, int Depth, Swizzle swizzle>
struct Tile {
  using Element = T;
  static constexpr Along along = Direction;
  static constexpr int rows = Rows, depth = Depth;
  static constexpr int lines = along == Along::depth ? Rows : Depth;
  static constexpr int length = along == Along::depth ? Depth : Rows;  // elements in a line
  static constexpr int panel = 128 / int(sizeof(T));
  static constexpr int bytes = Rows * Depth * int(sizeof(T));
  static_assert(length % panel == 0, "whole panels");

  /// Byte offset of element `at` of line `line`.
  static __device__ int offset(int line, int at) {
    const int byte = at % panel * int(sizeof(T));
    return at / panel * (lines * 128) + line * 128 + (byte ^ (swizzle_order<swizzle>(line) * 16));
  }
  /// The same by row and depth.
  static __device__ int at(int row, int k) {
    return along == Along::depth ? offset(row, k) : offset(k, row);
  }
};

/// Which tile of the product a block computes. Tiles are numbered in bands of 8 rows of tiles:
/// blocks that run together then share columns as well as rows, and the second-level cache serves
/// both.
struct TilePlace {
  int row, col;
};
CYTOGRAD_DEVICE TilePlace tile_place(int tile, int tiles_m, int tiles_n) {
  constexpr int band = 8;
  const int first = tile / (band * tiles_n) * band;
  const int height = min(band, tiles_m - first), within = tile - first * tiles_n;
  return {first + within % height, within / height};
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
