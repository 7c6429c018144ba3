#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// In training sets each element to 0 with probability p and scales the others by 1/(1-p); else
/// returns x. Element i of the k-th call within a RandomScope (core/random_scope.h) depends on the
/// scope's seed and step, k and i alone. The mask is drawn again in backward, not stored.
/// The element times 0 where it is dropped, so NaN stays NaN. float32, float64, bfloat16 on CUDA.
/// @throws ValueError unless 0 <= p < 1, StateError in training outside a RandomScope
Tensor dropout(const Tensor& x, double p, bool training);

}  // namespace cytograd
