#pragma once

#include <stdint.h>

/// @file
/// Exponentials of rows and arrays for each instruction set. As in gemm_table.h, the units that
/// fill these tables hold only code with internal linkage. All give the same bits: sums are float64
/// in an order that depends on the length of a row alone.

namespace cytograd::simd {

/// Rows follow each other without gaps and have n >= 1 elements. Results may overwrite inputs.
template <class T>
struct RowKernels {
  /// exp(x - max) / sum, or x - max - log(sum). An infinite maximum makes the row NaN.
  void (*softmax)(const T* x, int64_t rows, int64_t n, bool logarithm, T* y);
  /// log(sum(exp(x))) of each row; -inf for a row of -inf.
  void (*logsumexp)(const T* x, int64_t rows, int64_t n, double* out);
  /// y = exp(x - shift[row]) * scale[row]
  void (*exp_scaled)(const T* x, int64_t rows, int64_t n, const T* shift, const T* scale, T* y);
  /// Of n elements, as in kernels/math.h.
  void (*exp)(const T* x, int64_t n, T* y);
  void (*sigmoid)(const T* x, int64_t n, T* y);
  void (*tanh)(const T* x, int64_t n, T* y);
};

struct RowTable {
  RowKernels<float> f32;
  RowKernels<double> f64;
};

extern const RowTable rows_portable;
#if defined(__x86_64__)
extern const RowTable rows_avx2;
extern const RowTable rows_avx512;
#endif

}  // namespace cytograd::simd
