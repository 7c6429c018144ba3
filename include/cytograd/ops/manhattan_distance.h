#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Manhattan distance of every row of x to every row of y: d_ij = sum_k |x_ik - y_jk|.
///
/// Invariant to translation, permutation and change of sign of components, not to rotation.
/// @param x [N, D]   @param y [M, D]; passing x itself computes each pair once   @return [N, M]
/// Gradients: both, with sign(0) = 0: coincident components have none. float32, float64.
/// Deterministic. Cost N*M*D.
/// @throws ShapeError unless both are matrices with equal D; DtypeError unless both are of one
/// floating type
Tensor manhattan_distance(const Tensor& x, const Tensor& y);

}  // namespace cytograd
