#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#ifndef CYTOGRAD_HD
#ifdef __CUDACC__
#define CYTOGRAD_HD __host__ __device__
#else
#define CYTOGRAD_HD
#endif
#endif

/// @file
/// Elementary functions for kernels. The float versions have no branches and no calls, so that the
/// compiler vectorises the loops around them; the double versions are the standard library's.

namespace cytograd::math {

CYTOGRAD_HD inline double exp(double x) { return std::exp(x); }
CYTOGRAD_HD inline double tanh(double x) { return std::tanh(x); }
CYTOGRAD_HD inline uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }
CYTOGRAD_HD inline float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }

#include "kernels/math.inl"

}  // namespace cytograd::math
