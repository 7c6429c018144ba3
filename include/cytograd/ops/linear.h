#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// x weight^T + bias. float32, float64, bfloat16 on CUDA (core/autocast.h). Differentiable in all
/// three.
/// @param x [..., in]   @param weight [out, in]   @param bias [out], or undefined for none
/// @return [..., out]   @throws ShapeError, DtypeError
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace cytograd
