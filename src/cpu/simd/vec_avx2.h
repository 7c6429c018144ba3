// Vectors of 32 bytes. Included by units compiled with -mavx2 -mfma only.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace cytograd::simd {
namespace {

using VecF = __m256;
using VecD = __m256d;
constexpr int64_t row_tile = 6;

inline VecF broadcast(float x) { return _mm256_set1_ps(x); }
inline VecD broadcast(double x) { return _mm256_set1_pd(x); }
inline VecF multiply_add(VecF a, VecF b, VecF c) { return _mm256_fmadd_ps(a, b, c); }
inline VecD multiply_add(VecD a, VecD b, VecD c) { return _mm256_fmadd_pd(a, b, c); }

// a0 b0 a1 b1 ... of the lower and of the upper halves.
inline VecF interleave_low(VecF a, VecF b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
inline VecD interleave_low(VecD a, VecD b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
inline VecF interleave_high(VecF a, VecF b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
inline VecD interleave_high(VecD a, VecD b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

}  // namespace
}  // namespace cytograd::simd
