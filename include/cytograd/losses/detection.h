#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"

/// @file
/// Sums of losses for detectors, which divide by counts of their own. Scalars, 0 over nothing;
/// differentiable by the first argument.

namespace cytograd::losses {

/// Sum over all elements of log(1 + e^x) - x y: the binary cross-entropy of sigmoid(x), without
/// overflow. @param logits, targets  one shape and floating dtype; targets in [0, 1], no gradient
/// @throws ShapeError, DtypeError
inline Tensor binary_cross_entropy_sum(const Tensor& logits, const Tensor& targets) {
  check<ShapeError>(logits.shape() == targets.shape(), "binary_cross_entropy_sum",
                    "targets expect ", logits.shape(), ", got ", targets.shape());
  return sum(softplus(logits) - logits * targets);
}

/// Sum over all elements, with d = x - y, of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2
/// (Girshick 2015, equation 3, with the bend at beta). The slope at d = 0 is 0.
/// @param x, y  one shape and floating dtype; y takes no gradient
/// @throws ShapeError, DtypeError; ValueError unless beta > 0
inline Tensor smooth_l1_sum(const Tensor& x, const Tensor& y, double beta) {
  check<ShapeError>(x.shape() == y.shape(), "smooth_l1_sum", "targets expect ", x.shape(), ", got ",
                    y.shape());
  check<ValueError>(beta > 0, "smooth_l1_sum", "beta must be > 0, got ", beta);
  // With m = min(|d|, beta) both branches are m (|d| - m / 2) / beta.
  const Tensor distance = abs(x - y), near = clamp(distance, 0, beta);
  return sum(near * (distance - near * 0.5)) * (1 / beta);
}

}  // namespace cytograd::losses
