#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include "cytograd/cluster/curves.h"

namespace cytograd::test {

inline constexpr double half_digit = 6e-7;  // expected values have six digits after the point

inline cluster::Curves curves(const std::vector<std::vector<double>>& rows) {
  cluster::Curves out{static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size()), {}};
  for (const auto& row : rows) out.values.insert(out.values.end(), row.begin(), row.end());
  return out;
}

inline void close_values(const std::vector<double>& got, const std::vector<double>& expected,
                         double tolerance) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    CAPTURE(expected[i]);
    CHECK_FALSE(!(std::abs(got[i] - expected[i]) <= tolerance));
  }
}

}  // namespace cytograd::test
