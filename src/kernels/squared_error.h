#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

// x, y [rows, channels], weight [rows] or undefined; packed, one floating dtype.

/// result (a scalar) = sum of (weight (x - y))^2.
void squared_error(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                   int64_t channels, const Tensor& result);
void squared_error(CudaContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                   int64_t channels, const Tensor& result);
/// dx = factor dy weight^2 (x - y); dy has one element.
void squared_error_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                            int64_t channels, double factor, const Tensor& dy, const Tensor& dx);
void squared_error_backward(CudaContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                            int64_t channels, double factor, const Tensor& dy, const Tensor& dx);

}  // namespace cytograd::kernels
