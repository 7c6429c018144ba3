#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

// x, y [rows, channels], weight [rows] or undefined; packed, one floating dtype.

/// result (a scalar) = sum of (weight (x - y))^2.
void squared_error(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                   int64_t channels, const Tensor& result);
/// dx = factor weight^2 (x - y).
void squared_error_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                            int64_t channels, double factor, const Tensor& dx);

}  // namespace cytograd::kernels
