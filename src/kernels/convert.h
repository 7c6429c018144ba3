#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cytograd/core/dtype.h"

namespace cytograd::kernels {

/// Rounds to nearest; beyond the range of To its nearest value, NaN 0.
template <class To, class From>
CYTOGRAD_HD To to_integer(From x) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_floating_point_v<From>) {
    // -2^63 and 2^63 are floating numbers; the largest int64 is not.
    const From rounded = std::nearbyint(x), end = std::ldexp(From(1), Limits::digits);
    if (rounded >= end) return Limits::max();
    if (rounded <= static_cast<From>(Limits::min())) return Limits::min();
    return std::isnan(x) ? To(0) : static_cast<To>(rounded);
  } else {
    const int64_t wide = x, low = Limits::min(), high = Limits::max();
    return static_cast<To>(wide < low ? low : wide > high ? high : wide);
  }
}

/// One element of another type, as Tensor::to says.
template <class To, class From>
CYTOGRAD_HD To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(to_float(x));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To>) {
    return to_integer<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace cytograd::kernels
