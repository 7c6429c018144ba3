#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Matrix product [..., M, K] x [..., K, N] -> [..., M, N]; the axes before the last two broadcast.
/// float32, float64, bfloat16 on CUDA (core/autocast.h). Differentiable. The order of additions
/// depends on the shapes alone.
/// @throws ShapeError unless both have two axes or more and the inner sizes agree; DtypeError
Tensor matmul(const Tensor& a, const Tensor& b);

}  // namespace cytograd
