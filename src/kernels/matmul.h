#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// c = a b (+ bias on every row). a [B..., M, K] and b [B..., K, N] with any strides, the axes in
/// front expanded to those of c; c contiguous; bias [N] contiguous or undefined.
void matmul(CpuContext, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c);
void matmul(CudaContext, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c);

}  // namespace cytograd::kernels
