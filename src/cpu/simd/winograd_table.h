#pragma once

#include <stdint.h>

/// @file
/// The transforms of Winograd's minimal filtering F(4x4, 3x3) for each instruction set. As in
/// gemm_table.h, the units that fill these tables hold only code with internal linkage. Vectors of
/// channels stand at the 36 places of a transformed tile, `*_stride` elements apart.

namespace cytograd::simd {

/// One tile of 6 x 6 input pixels, those outside [row_begin, row_end) x [col_begin, col_end) zero.
struct WinogradInput {
  const float* x;  // pixel (0, 0) of the tile, which may lie outside the image
  int64_t row_stride, pixel_stride;
  int row_begin, row_end, col_begin, col_end;
  int64_t channels;
  float* v;
  int64_t v_stride;
};

/// One tile of 4 x 4 output pixels, of which rows x cols exist.
struct WinogradOutput {
  const float* m;
  int64_t m_stride;
  float* y;
  int64_t row_stride, pixel_stride;
  int rows, cols;
  int64_t channels;
  bool accumulate;  // then bias, then relu, as in gemm_table.h
  const float* bias;
  bool relu;
};

/// Filters of 3 x 3 taps, one per channel.
struct WinogradFilter {
  const float* w;
  int64_t tap_stride;
  int64_t channels;
  float* u;
  int64_t u_stride;
};

/// The transposed `output`: one tile of 4 x 4 output gradients, of which rows x cols exist.
struct WinogradOutputGradient {
  const float* dy;
  int64_t row_stride, pixel_stride;
  int rows, cols;
  int64_t channels;
  float* u;
  int64_t u_stride;
};

/// The transposed `filter`: gradients of 3 x 3 taps, one filter per channel.
struct WinogradFilterGradient {
  const float* m;
  int64_t m_stride;
  int64_t channels;
  float* dw;
  int64_t tap_stride;
};

struct WinogradTable {
  void (*input)(const WinogradInput&);
  void (*output)(const WinogradOutput&);
  void (*filter)(const WinogradFilter&);
  void (*output_gradient)(const WinogradOutputGradient&);
  void (*filter_gradient)(const WinogradFilterGradient&);
};

extern const WinogradTable winograd_portable;
#if defined(__x86_64__)
extern const WinogradTable winograd_avx2;
extern const WinogradTable winograd_avx512;
#endif

}  // namespace cytograd::simd
