// Vectors of 64 bytes. Included by units compiled with -mavx512f and its companions only.
#pragma once

#include <immintrin.h>
#include <stdint.h>

namespace cytograd::simd {
namespace {

using VecF = __m512;
using VecD = __m512d;
constexpr int64_t row_tile = 14;

inline VecF broadcast(float x) { return _mm512_set1_ps(x); }
inline VecD broadcast(double x) { return _mm512_set1_pd(x); }
inline VecF multiply_add(VecF a, VecF b, VecF c) { return _mm512_fmadd_ps(a, b, c); }
inline VecD multiply_add(VecD a, VecD b, VecD c) { return _mm512_fmadd_pd(a, b, c); }

// a0 b0 a1 b1 ... of the lower and of the upper halves.
inline VecF interleave_low(VecF a, VecF b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
inline VecD interleave_low(VecD a, VecD b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
inline VecF interleave_high(VecF a, VecF b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                 31);
}
inline VecD interleave_high(VecD a, VecD b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

}  // namespace
}  // namespace cytograd::simd
