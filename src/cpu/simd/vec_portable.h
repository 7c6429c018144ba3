// Vectors of 16 bytes, which every target of GCC and clang has. Included by one unit only.
#pragma once

#include <stdint.h>

namespace cytograd::simd {
namespace {

using VecF = float __attribute__((vector_size(16)));
using VecD = double __attribute__((vector_size(16)));
constexpr int64_t row_tile = 4;

inline VecF broadcast(float x) { return VecF{x, x, x, x}; }
inline VecD broadcast(double x) { return VecD{x, x}; }
inline VecF multiply_add(VecF a, VecF b, VecF c) { return a * b + c; }
inline VecD multiply_add(VecD a, VecD b, VecD c) { return a * b + c; }

// a0 b0 a1 b1 ... of the lower and of the upper halves.
inline VecF interleave_low(VecF a, VecF b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
inline VecD interleave_low(VecD a, VecD b) { return __builtin_shufflevector(a, b, 0, 2); }
inline VecF interleave_high(VecF a, VecF b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
inline VecD interleave_high(VecD a, VecD b) { return __builtin_shufflevector(a, b, 1, 3); }

}  // namespace
}  // namespace cytograd::simd
