#pragma once

#include <stdint.h>

/// @file
/// The step of Adam for each instruction set. As in gemm_table.h, the units that fill these tables
/// hold only code with internal linkage. All give the same bits.

namespace cytograd::simd {

/// The numbers of one step.
template <class T>
struct AdamNumbers {
  T in_gradient;       ///< weight decay added to the gradient
  T shrink;            ///< factor of the weight, 1 without decoupled decay
  T toward1, toward2;  ///< 1 - beta1, 1 - beta2
  T keep2;             ///< beta2
  T size;              ///< lr / (1 - beta1^t)
  T root;              ///< 1 / sqrt(1 - beta2^t)
  T eps;
};

/// Weights w, gradient g, moments m and v of n elements, none overlapping.
struct AdamTable {
  void (*f32)(const AdamNumbers<float>&, int64_t n, const float* g, float* w, float* m, float* v);
  void (*f64)(const AdamNumbers<double>&, int64_t n, const double* g, double* w, double* m,
              double* v);
};

extern const AdamTable adam_portable;
#if defined(__x86_64__)
extern const AdamTable adam_avx2;
// Square roots and quotients take as long per element in wider vectors.
inline constexpr const AdamTable& adam_avx512 = adam_avx2;
#endif

}  // namespace cytograd::simd
