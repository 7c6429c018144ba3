#pragma once

#include "cuda/gemm/divisor.h"
#include "cuda/gemm/element.cuh"
#include "cuda/gemm/tile.cuh"

/// @file
/// Where the elements of a product go, and what happens to them on the way.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Rows of the product as pixels (n, i, j) of a grid inside an image: pixel (first_h + i step_h,
/// first_w + j step_w) of image n. Off: row r is the r-th pixel.
struct PixelGrid {
  bool on = false;
  int height = 0, width = 0, first_h = 0, first_w = 0, step_h = 1, step_w = 1;
  Divisor grid_hw, grid_w;

  __device__ int64_t pixel(int row) const {
    if (!on) return row;
    const int image = grid_hw.quotient(row), within = grid_hw.remainder(row, image);
    const int i = grid_w.quotient(within), j = grid_w.remainder(within, i);
    return (int64_t{image} * height + first_h + i * step_h) * width + first_w + j * step_w;
  }
};

/// y[row, col] = relu?(sum + bias[col] + residual[row, col] + y[row, col] if accumulate).
template <class T>
struct Output {
  using Sum = SumOf<T>;
  T* data = nullptr;
  int64_t pitch = 0;  // elements between rows: a product may fill a slice of wider rows
  const T* bias = nullptr;
  const T* residual = nullptr;
  int64_t residual_pitch = 0;
  bool accumulate = false, relu = false;
  bool wide = false;  // rows start at 16-byte boundaries and hold whole chunks: 16-byte accesses
  PixelGrid grid;

  /// The same for one matrix of a batch: its first element, and its first column of bias and
  /// residual.
  __device__ Output shifted(int64_t elements, int64_t columns) const {
    Output o = *this;
    o.data += elements;
    if (o.bias) o.bias += columns;
    if (o.residual) o.residual += columns;
    return o;
  }

  /// Finishes `Count` neighbouring columns of one row; `values` becomes what was stored, rounded.
  template <int Count>
  __device__ void store(int row, int col, int cols, Sum (&values)[Count]) const {
    const int64_t pixel = grid.pixel(row);
    T* to = data + (pixel * pitch + col);
    if (bias) add<Count>(bias + col, col, cols, false, values);
    if (residual) add<Count>(residual + (pixel * residual_pitch + col), col, cols, wide, values);
    if (accumulate) add<Count>(to, col, cols, wide, values);
    T rounded[Count];
#pragma unroll
    for (int i = 0; i < Count; ++i) {
      if (relu) values[i] = values[i] < 0 ? Sum{0} : values[i];
      rounded[i] = value_of<T>(values[i]);
      values[i] = sum_of(rounded[i]);
    }
    if (wide) {
      constexpr int step = per_chunk<T>;
#pragma unroll
      for (int i = 0; i < Count; i += step) {
        Chunk<T> pack;
#pragma unroll
        for (int e = 0; e < step; ++e) pack.v[e] = rounded[i + e];
        if (col + i < cols) st16(to + i, pack);
      }
    } else {
#pragma unroll
      for (int i = 0; i < Count; ++i)
        if (col + i < cols) to[i] = rounded[i];
    }
  }

 private:
  template <int Count>
  static __device__ void add(const T* from, int col, int cols, bool wide, Sum (&values)[Count]) {
    constexpr int step = per_chunk<T>;
    if (wide) {
#pragma unroll
      for (int i = 0; i < Count; i += step) {
        if (col + i >= cols) break;
        const auto pack = ld16<Chunk<T>>(from + i);
#pragma unroll
        for (int e = 0; e < step; ++e) values[i + e] += sum_of(pack.v[e]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < Count; ++i)
        if (col + i < cols) values[i] += sum_of(from[i]);
    }
  }
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
