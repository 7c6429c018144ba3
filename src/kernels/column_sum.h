#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// sums[c] = sum of x[..., c] over every other axis, for contiguous x: the gradient of a bias.
/// Partial sums per fixed chunk of rows, added in order in double.
void column_sum(CpuContext, const Tensor& x, const Tensor& sums);
void column_sum(CudaContext, const Tensor& x, const Tensor& sums);

}  // namespace cytograd::kernels
