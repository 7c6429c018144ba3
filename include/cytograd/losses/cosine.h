#pragma once

#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"

namespace cytograd::losses {

/// 1 - cos(a, b) averaged over the rows of a batch, with
/// cos(a, b) = a.b / (max(|a|, 1e-8) max(|b|, 1e-8)). A row of zeros has cosine 0 and gradient 0.
/// @param a, b  [B, D], one floating dtype   @return a scalar
/// @throws ShapeError unless both are [B, D] with B >= 1
inline Tensor cosine_distance(const Tensor& a, const Tensor& b) {
  check<ShapeError>(a.ndim() == 2 && a.size(0) >= 1 && a.shape() == b.shape(), "cosine_distance",
                    "expects two tensors of one shape [B, D], got ", a.shape(), " and ", b.shape());
  const Tensor length_a = norm(a, 1), length_b = norm(b, 1);
  // 0 where a row is zero, else 1: the quotient's slope there would be that of a / 1e-8. A NaN
  // counts, so that it is seen. Twice, because the smallest float is 1e-45.
  const Tensor counted = clamp(clamp((length_a * length_b).detach() * 1e38, 0, 1) * 1e38, 0, 1);
  const auto at_least = [](const Tensor& length) {
    return clamp(length, 1e-8, std::numeric_limits<double>::infinity());
  };
  const Tensor cosine = sum(a * b, 1) / (at_least(length_a) * at_least(length_b));
  return 1.0 - mean(cosine * counted);
}

}  // namespace cytograd::losses
