#pragma once

#include <algorithm>

#include "cpu/gemm_driver.h"
#include "cpu/simd/winograd_table.h"
#include "kernels/conv2d.h"

/// @file
/// How F(4x4, 3x3) covers images with tiles; shared by the three passes.

namespace cytograd::cpu {

inline constexpr int64_t winograd_places = 36;  // of a transformed tile, 6 x 6
inline constexpr int64_t winograd_tile = 4;     // output pixels along a side

// Elements from one place to the next for matrices of `size`: an odd number of cache lines, or the
// 36 vectors that a transform writes or reads would compete for the same few sets of the caches.
constexpr int64_t winograd_stride(int64_t size) {
  constexpr int64_t line = 16;
  return ((size + line - 1) / line | 1) * line;
}

const simd::WinogradTable& winograd_table();

// Blocks of input channels that one pass of the register tile takes.
struct WinogradDepth {
  int64_t blocks, block;
  explicit WinogradDepth(int64_t channels)
      : blocks(ceil_div(channels, simd::max_depth)), block(ceil_div(channels, blocks)) {}
};

struct WinogradTiles {
  int64_t down, across, per_image, count;
  explicit WinogradTiles(const kernels::Conv2dShape& s)
      : down(ceil_div(s.out_h(), winograd_tile)),
        across(ceil_div(s.out_w(), winograd_tile)),
        per_image(down * across),
        count(s.n * per_image) {}

  struct Place {
    int64_t n, i, j;
  };
  Place place(int64_t tile) const {
    const int64_t in_image = tile % per_image;
    return {tile / per_image, in_image / across, in_image % across};
  }
};

/// The input pixels that a tile sees; all channels, and nowhere to go yet.
inline simd::WinogradInput winograd_input_of(const kernels::Conv2dShape& s,
                                             const WinogradTiles::Place& at, const float* x) {
  const int64_t top = at.i * winograd_tile - s.pad_h, left = at.j * winograd_tile - s.pad_w;
  const int64_t pitch = s.x_pitch_or_packed();
  const auto clip = [](int64_t v) { return static_cast<int>(std::clamp<int64_t>(v, 0, 6)); };
  return {.x = x + ((at.n * s.h + top) * s.w + left) * pitch,
          .row_stride = s.w * pitch,
          .pixel_stride = pitch,
          .row_begin = clip(-top),
          .row_end = clip(s.h - top),
          .col_begin = clip(-left),
          .col_end = clip(s.w - left),
          .channels = s.c_in,
          .v = nullptr,
          .v_stride = 0};
}

/// Output rows and columns that exist of a tile.
inline int winograd_extent(int64_t out, int64_t index) {
  return static_cast<int>(std::min(winograd_tile, out - index * winograd_tile));
}

}  // namespace cytograd::cpu
