#pragma once

#include <vector>

#include "cytograd/core/tensor.h"

namespace cytograd::test {

using Rows = std::vector<std::vector<double>>;

/// A leaf that wants a gradient. @param rows of equal length, at least one
inline Tensor matrix(const Rows& rows, Dtype dtype = Dtype::float64) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  const Tensor out = Tensor::from(values, {static_cast<int64_t>(rows.size()),
                                           static_cast<int64_t>(rows[0].size())})
                         .to(dtype);
  out.set_requires_grad(true);
  return out;
}

}  // namespace cytograd::test
