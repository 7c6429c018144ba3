#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cpu/gemm_driver.h"

/// @file
/// Strips: the image rows that a block of output pixels sees, copied once with their zero padding.
/// Where the taps of a row touch each other, every patch is then a few runs of a strip, and the
/// register tile reads it in place: one copy of each input element instead of one per tap.

namespace cytograd::cpu {

inline constexpr int64_t strip_limit = 128 << 10;  // elements; half a second-level cache of 1 MB

/// Elements of one row of a strip.
template <class T>
int64_t strip_pitch(const simd::Patches<T>& p) {
  return ((p.grid_w - 1) * p.step_w + p.taps_w) * p.channels;
}

/// Strips pay when several taps share what they read, and need rows wide enough for a tile.
template <class T>
bool strips_fit(const simd::Patches<T>& p) {
  const bool joined = p.tap_step_w == 1 && p.channels == p.pixel_stride;
  const int64_t grid_rows = std::max<int64_t>(112 / std::max<int64_t>(p.grid_w, 1), 1) + 2;
  const int64_t rows = grid_rows * p.step_h + p.taps_h * p.tap_step_h;
  return joined && p.taps_h * p.taps_w > 1 && p.step_h <= p.taps_h && p.tap_step_h <= 2 &&
         p.grid_w >= 6 && rows * strip_pitch(p) <= strip_limit;
}

/// Copies the image row y of image n, shifted so that element 0 is column origin_w.
template <class T>
void copy_strip_row(const simd::Patches<T>& p, int64_t n, int64_t y, T* to) {
  const int64_t pitch = strip_pitch(p);
  int64_t begin = std::clamp<int64_t>(-p.origin_w * p.channels, 0, pitch);
  int64_t end = std::clamp<int64_t>((p.width - p.origin_w) * p.channels, begin, pitch);
  if (y < 0 || y >= p.height) begin = end = pitch;
  const int64_t line = ((n * p.height + y) * p.width + p.origin_w) * p.channels;
  std::fill(to, to + begin, T{0});
  if (begin < end)
    std::memcpy(to + begin, p.data + (line + begin), static_cast<size_t>(end - begin) * sizeof(T));
  std::fill(to + end, to + pitch, T{0});
}

/// Readies a block of A as strips. They hold all taps, so the first step of the rows copies them
/// and the later ones only point elsewhere.
template <class T>
void ready_strips(const simd::GemmKernels<T>& kernels, const simd::Patches<T>& p,
                  const BlockOfA& block, simd::Product<T>& product) {
  const int64_t pitch = strip_pitch(p), run = p.taps_w * p.channels;
  const int64_t first = block.row / p.grid_w, last = (block.row + block.rows - 1) / p.grid_w;
  // Rows of a strip that the grid rows of one image span.
  const auto span = [&](int64_t grid_rows) {
    return (grid_rows - 1) * p.step_h + (p.taps_h - 1) * p.tap_step_h + 1;
  };
  T* strip = scratch<T>(Scratch::block_a, (last - first + 1) * span(1) * pitch + pitch);
  auto* groups = scratch<simd::RowGroup<T>>(Scratch::groups, block.rows);
  product.group_count = 0;
  int64_t row = block.row;
  for (int64_t g = first; g <= last;) {  // one image at a time
    const int64_t n = g / p.grid_h, image_end = std::min(last + 1, (n + 1) * p.grid_h);
    const int64_t y = g % p.grid_h * p.step_h + p.origin_h;
    const int64_t strip_rows = span(image_end - g);
    if (block.first)
      for (int64_t r = 0; r < strip_rows; ++r) copy_strip_row(p, n, y + r, strip + r * pitch);
    for (const int64_t g0 = g; g < image_end; ++g) {
      const T* line = strip + (g - g0) * p.step_h * pitch + block.k / run * p.tap_step_h * pitch +
                      block.k % run;
      const int64_t row_end = std::min(block.row + block.rows, (g + 1) * p.grid_w);
      const int64_t rows = row_end - row;
      const int64_t parts = (rows + kernels.panel_rows - 1) / kernels.panel_rows;
      for (int64_t i = 0; i < parts; ++i) {
        const int64_t begin = i * rows / parts, end = (i + 1) * rows / parts;
        groups[product.group_count++] = {line + (row % p.grid_w + begin) * p.step_w * p.channels,
                                         end - begin};
      }
      row = row_end;
    }
    strip += strip_rows * pitch;
  }
  product.groups = groups;
  product.by_depth = false;
  product.row_stride = p.step_w * p.channels;
  product.segments = std::max<int64_t>(block.depth / run, 1);
  product.segment_depth = block.depth / product.segments;
  product.segment_stride = p.tap_step_h * pitch;
}

}  // namespace cytograd::cpu
