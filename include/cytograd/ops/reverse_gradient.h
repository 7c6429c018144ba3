#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// x itself; its gradient is multiplied by -factor: what is behind learns to do, what is before to
/// prevent (Ganin and Lempitsky 2015). float32, float64.
Tensor reverse_gradient(const Tensor& x, double factor = 1);

}  // namespace cytograd
