#pragma once

#include <stdint.h>

/// @file
/// Distances between rows of two matrices, and the sums that their gradients are, for each
/// instruction set. As in gemm_table.h, the units that fill these tables hold only code with
/// internal linkage. Differences are taken directly.

namespace cytograd::simd {

/// Columns of a strip of own_differences and own_signs.
template <class T>
inline constexpr int64_t pair_strip = 64 / static_cast<int64_t>(sizeof(T));

/// Rows of one width, packed.
template <class T>
struct RowBlock {
  const T* data;
  int64_t width;
};

template <class T>
struct RowPairKernels {
  /// out[j] = sum over k of (x_k - y_jk)^2 for `count` rows of y.
  void (*squares)(const T* x, RowBlock<T> y, int64_t count, double* out);
  /// out[j] = sum over k of |x_k - y_jk|.
  void (*magnitudes)(const T* x, RowBlock<T> y, int64_t count, double* out);
  /// dx_k = sum over j of weight[j] (x_k - y_jk); rows with weight 0 are not read.
  void (*differences)(const T* x, RowBlock<T> y, int64_t count, const T* weight, T* dx);
  /// dx_k = sum over j of weight[j] sign(x_k - y_jk), sign(0) = 0.
  void (*signs)(const T* x, RowBlock<T> y, int64_t count, const T* weight, T* dx);
  /// The same two for a set against itself with a symmetric weight [n, n]: each pair is taken once.
  /// A strip of columns, packed: x and dx [n, pair_strip].
  void (*own_differences)(const T* x, int64_t n, const T* weight, T* dx);
  void (*own_signs)(const T* x, int64_t n, const T* weight, T* dx);
};

struct RowPairTable {
  RowPairKernels<float> f32;
  RowPairKernels<double> f64;
};

extern const RowPairTable row_pairs_portable;
#if defined(__x86_64__)
extern const RowPairTable row_pairs_avx2;
extern const RowPairTable row_pairs_avx512;
#endif

}  // namespace cytograd::simd
