#pragma once

#include <stdint.h>

/// @file
/// What each instruction set provides to the matrix product and the convolutions. The units that
/// fill these tables are compiled with wider instructions than the rest of the program, so they
/// hold only code with internal linkage: a shared inline function compiled there could be the copy
/// the linker keeps, and would stop older machines.

namespace cytograd::simd {

/// Most steps of k in one block; also the distance between the rows of an A packed by row.
inline constexpr int64_t max_depth = 256;

/// A virtual matrix of image patches. Row (image, i, j) of the grid and column (a, b, c) hold
/// image[i*step_h + origin_h + a*tap_step_h, j*step_w + origin_w + b*tap_step_w, c], or 0 outside.
template <class T>
struct Patches {
  const T* data;
  int64_t height, width;
  int64_t pixel_stride;  // elements between pixels: all channels of the image
  int64_t channels;      // those used here
  int64_t grid_h, grid_w;
  int64_t taps_h, taps_w;
  int64_t step_h, step_w, origin_h, origin_w, tap_step_h, tap_step_w;
};

/// Rows of A that one register tile takes, at most panel_rows of them.
template <class T>
struct RowGroup {
  const T* a;
  int64_t rows;
};

/// Rows of memory that will be wanted soon: `lines` cache lines each, `stride` elements apart.
template <class T>
struct Ahead {
  const T* from;
  int64_t stride, lines;
};

/// One panel of B against a block of A: c[i][j] (+)= sum over p of a[i, p] b[p, j].
///
/// "By row", row i of a group begins at a + i*row_stride; its elements are `segments` runs of
/// segment_depth consecutive ones, segment_stride apart. "By depth", a is stored
/// [depth][rows] with row_stride elements from one step to the next.
template <class T>
struct Product {
  int64_t depth, cols;  // cols <= panel_cols
  const RowGroup<T>* groups;
  int64_t group_count;
  bool by_depth;
  int64_t row_stride, segments, segment_depth, segment_stride;
  const T* b;  // [depth][panel_cols]
  // "By row" only: memory of the panel after this one, fetched meanwhile. At least one line.
  Ahead<T> next_b;
  int64_t next_b_rows;
  T* const* c_rows;  // where each row of C begins, all groups in turn
  int64_t c_col;     // first column of the panel
  bool accumulate;   // add to what C holds
  Ahead<T> ahead_a;  // "by depth" only: as many rows as `depth`, fetched meanwhile, where the
  Ahead<T> ahead_b;  // groups are enough for all lines
  const T* bias;     // of column 0 of C; null for none
  bool relu;
};

template <class T>
struct GemmKernels {
  int64_t panel_rows, panel_cols;
  void (*multiply)(const Product<T>&);
  /// to[r*to_stride + c] = from[r*from_stride + c]; columns [cols, padded) become 0.
  void (*copy)(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows,
               int64_t cols, int64_t padded);
  /// As `copy` without padding, each element as scale[c]*element + shift[c], negative ones as 0
  /// when `relu`.
  void (*copy_affine)(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows,
                      int64_t cols, const T* scale, const T* shift, bool relu);
  /// to[r*to_stride + c] = from[c*from_stride + r]; columns [cols, padded) become 0.
  void (*transpose)(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows,
                    int64_t cols, int64_t padded);
  /// As `copy`, from rows [row, row + rows) and columns [col, col + cols) of the patches.
  void (*gather)(T* to, int64_t to_stride, const Patches<T>& from, int64_t row, int64_t rows,
                 int64_t col, int64_t cols);
  /// The same for one panel of B, [rows][panel_cols]; columns from `cols` on become 0.
  void (*gather_panel)(T* to, const Patches<T>& from, int64_t row, int64_t rows, int64_t col,
                       int64_t cols);
};

struct GemmTable {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
};

extern const GemmTable gemm_portable;
#if defined(__x86_64__)
extern const GemmTable gemm_avx2;
extern const GemmTable gemm_avx512;
#endif

}  // namespace cytograd::simd
