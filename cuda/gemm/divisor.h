#pragma once

#include <cstdint>

#include "cuda/core/kernel.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Division of 0 <= n < 2^31 by a number fixed at launch, as a multiplication and a shift (Granlund
/// and Montgomery 1994): the hardware has no integer division, and the index arithmetic of a
/// convolution needs three for every element it gathers.
struct Divisor {
  uint32_t value = 1, multiplier = 1, shift = 0;

  Divisor() = default;
  __host__ explicit Divisor(int64_t divisor)
      : value(static_cast<uint32_t>(divisor > 0 ? divisor : 1)) {
    while ((uint64_t{1} << shift) < value) ++shift;
    multiplier = static_cast<uint32_t>((((uint64_t{1} << shift) - value) << 32) / value + 1);
  }

  __device__ int quotient(int n) const {
    const auto u = static_cast<uint32_t>(n);
    const auto high = static_cast<uint32_t>((static_cast<uint64_t>(u) * multiplier) >> 32);
    return static_cast<int>((high + u) >> shift);
  }
  __device__ int remainder(int n, int quotient) const {
    return n - quotient * static_cast<int>(value);
  }
};

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
