#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/unary_functions.h"

namespace cytograd::kernels {

/// y = value(x) with function number `function` of UnaryFunctions. x, y contiguous, same shape.
void unary(CpuContext, int function, UnaryParams params, const Tensor& x, const Tensor& y);
void unary(CudaContext, int function, UnaryParams params, const Tensor& x, const Tensor& y);
/// dx = dy * slope(saved). `saved` is the input or the output as the function says, or undefined.
void unary_backward(CpuContext, int function, UnaryParams params, const Tensor& saved,
                    const Tensor& dy, const Tensor& dx);
void unary_backward(CudaContext, int function, UnaryParams params, const Tensor& saved,
                    const Tensor& dy, const Tensor& dx);

}  // namespace cytograd::kernels
