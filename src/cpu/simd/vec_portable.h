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

}  // namespace
}  // namespace cytograd::simd
