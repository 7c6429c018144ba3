#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "cytograd/core/tensor.h"

namespace cytograd::test {

inline Tensor column(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size()), 1});
}

/// Row-major values beside a tensor, each within `tolerance` of max(1, |expected|).
inline void check_close(const Tensor& got, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> values = got.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CAPTURE(values[i]);
    CAPTURE(expected[i]);
    CHECK_FALSE(
        !(std::abs(values[i] - expected[i]) <= tolerance * std::max(1.0, std::abs(expected[i]))));
  }
}

inline void check_close(double got, double expected, double tolerance) {
  CAPTURE(got);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(got - expected) <= tolerance * std::max(1.0, std::abs(expected))));
}

}  // namespace cytograd::test
