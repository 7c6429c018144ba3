#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Euclidean distance of every row of x to every row of y: d_ij = sqrt(sum_k (x_ik - y_jk)^2).
///
/// Differences are taken directly, never as |x|^2 + |y|^2 - 2 x.y, so close points keep their
/// digits.
/// @param x [N, D]   @param y [M, D]   @return [N, M]
/// Gradients: both; defined as 0 where d_ij = 0. float32, float64. Deterministic. Cost N*M*D.
/// @throws ShapeError unless both are matrices with equal D; DtypeError unless both are of one
/// floating type
Tensor pairwise_distance(const Tensor& x, const Tensor& y);

}  // namespace cytograd
