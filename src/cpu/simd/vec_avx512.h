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

}  // namespace
}  // namespace cytograd::simd
