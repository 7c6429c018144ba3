#pragma once

#include "cuda/core/kernel.cuh"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// What sums of T are kept in: float for float and bfloat16, double for double.
template <class T>
using SumOf = std::conditional_t<sizeof(T) == 8, double, float>;

template <class T>
CYTOGRAD_DEVICE SumOf<T> sum_of(T x) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_float(x);
  else
    return x;
}
/// Rounds to nearest.
template <class T>
CYTOGRAD_DEVICE T value_of(SumOf<T> x) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_bfloat16(x);
  else
    return x;
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
