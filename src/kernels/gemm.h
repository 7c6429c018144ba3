#pragma once

#include <cstdint>

namespace cytograd::kernels {

/// What happens to each element of the product after the sum over k is complete.
template <class T>
struct Epilogue {
  const T* bias = nullptr;  ///< [n], added to every row; null for none
  bool relu = false;        ///< then max(value, 0); NaN stays NaN
};

/// C[m, n] = op(A)[m, k] op(B)[k, n], or C += when `accumulate`. Row-major; `lda`, `ldb`, `ldc` are
/// the elements between rows as stored: A is stored [m, k], or [k, m] when `trans_a`; B is stored
/// [k, n], or [n, k] when `trans_b`. C overlaps neither. m, n, k may be 0; k = 0 gives zeros (plus
/// the epilogue).
///
/// Sums run over k in a fixed order, so the bits depend on the shape and on whether the instruction
/// set has fused multiply-add, never on the number of threads. Every product is formed: 0 * NaN is
/// NaN. float and double.
///
/// Scratch is kept per thread and grows to at most 64 MB; it is freed when the thread ends.
template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
          const T* b, int64_t ldb, T* c, int64_t ldc, bool accumulate = false,
          const Epilogue<T>& epilogue = {});

}  // namespace cytograd::kernels
