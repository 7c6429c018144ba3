#pragma once

#include "cuda/gemm/divisor.h"

/// @file
/// Where the elements of an operand lie in global memory. A source tells, for a row and a depth,
/// the element's address or that it is a zero; the part that depends on one index alone is computed
/// once (Row, Depth) and combined by `at`. `channel` is the input channel of the element. Nothing
/// outside the tensor is ever addressed.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Element (row, k) of a matrix with any strides.
template <class T>
struct MatrixSource {
  using Element = T;
  struct Row {
    int64_t offset;  // negative: no such row
  };
  struct Depth {
    int64_t offset;
    int index;
  };
  int rows;
  int64_t row_step, depth_step;

  __device__ Row row(int r) const { return {r < rows ? r * row_step : -1}; }
  __device__ Depth depth(int k) const { return {k * depth_step, k}; }
  __device__ const T* at(const T* data, Row r, Depth k) const {
    return r.offset < 0 ? nullptr : data + (r.offset + k.offset);
  }
  __device__ int channel(Row, Depth k) const { return k.index; }
};

/// What a grid of filter positions sees of images [n, height, width, pitch]: pixel (n, i, j) of the
/// grid and tap (p, q) meet at y = i step + origin + p tap_step, the same for x; zero outside.
/// A forward convolution has its own steps; the data gradient of one residue of a stride has
/// step 1.
struct PatchGeometry {
  int height, width, pitch;
  int pixels, taps;  // pixels of all grids; kh kw channels
  int step_h, step_w, origin_h, origin_w, tap_step_h, tap_step_w;
  Divisor grid_hw, grid_w, channels, taps_w;

  struct Place {
    int index;  // of the pixel, or how far the tap is from it, in pixels
    int y, x;   // very negative: none such
    int channel;
  };
  static constexpr int outside = -(1 << 30);

  __device__ Place pixel(int index) const {
    if (index >= pixels) return {0, outside, outside, 0};
    const int image = grid_hw.quotient(index), within = grid_hw.remainder(index, image);
    const int i = grid_w.quotient(within), j = grid_w.remainder(within, i);
    const int y = i * step_h + origin_h, x = j * step_w + origin_w;
    return {(image * height + y) * width + x, y, x, 0};
  }
  __device__ Place tap(int index) const {
    if (index >= taps) return {0, outside, outside, 0};
    const int t = channels.quotient(index), c = channels.remainder(index, t);
    const int p = taps_w.quotient(t), q = taps_w.remainder(t, p);
    const int y = p * tap_step_h, x = q * tap_step_w;
    return {y * width + x, y, x, c};
  }
  /// The element where they meet, or null.
  template <class T>
  __device__ const T* at(const T* data, const Place& pixel, const Place& tap) const {
    const bool inside = static_cast<unsigned>(pixel.y + tap.y) < static_cast<unsigned>(height) &&
                        static_cast<unsigned>(pixel.x + tap.x) < static_cast<unsigned>(width);
    return inside ? data + (int64_t{pixel.index + tap.index} * pitch + tap.channel) : nullptr;
  }
};

/// Rows are pixels, depth is (tap, channel): the left operand of a convolution.
template <class T>
struct PatchSource {
  using Element = T;
  using Row = PatchGeometry::Place;
  using Depth = PatchGeometry::Place;
  PatchGeometry geometry;

  __device__ Row row(int r) const { return geometry.pixel(r); }
  __device__ Depth depth(int k) const { return geometry.tap(k); }
  __device__ const T* at(const T* data, const Row& r, const Depth& k) const {
    return geometry.at(data, r, k);
  }
  __device__ int channel(const Row&, const Depth& k) const { return k.channel; }
};

/// The same transposed: rows are (tap, channel), depth is pixels. The right operand of the gradient
/// by the filters.
template <class T>
struct PixelSource {
  using Element = T;
  using Row = PatchGeometry::Place;
  using Depth = PatchGeometry::Place;
  PatchGeometry geometry;

  __device__ Row row(int r) const { return geometry.tap(r); }
  __device__ Depth depth(int k) const { return geometry.pixel(k); }
  __device__ const T* at(const T* data, const Row& r, const Depth& k) const {
    return geometry.at(data, k, r);
  }
  __device__ int channel(const Row& r, const Depth&) const { return r.channel; }
};

/// Filters [c_out, kh, kw, channels] as the data gradient of one residue reads them: rows are input
/// channels, depth is (tap, output channel), taps running backwards from `last` by `step`.
template <class T>
struct FilterSource {
  using Element = T;
  struct Row {
    int channel;  // negative: no such row
  };
  struct Depth {
    int64_t offset;
    int channel;
  };
  int channels, kw, filter;  // filter: kh kw channels
  int last_h, last_w, step_h, step_w;
  Divisor c_out, taps_w;

  __device__ Row row(int r) const { return {r < channels ? r : -1}; }
  __device__ Depth depth(int k) const {
    const int t = c_out.quotient(k), o = c_out.remainder(k, t);
    const int p = taps_w.quotient(t), q = taps_w.remainder(t, p);
    const int tap = (last_h - p * step_h) * kw + last_w - q * step_w;
    return {int64_t{o} * filter + tap * channels, o};
  }
  __device__ const T* at(const T* data, Row r, Depth k) const {
    return r.channel < 0 ? nullptr : data + (r.channel + k.offset);
  }
  __device__ int channel(Row, Depth k) const { return k.channel; }
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
