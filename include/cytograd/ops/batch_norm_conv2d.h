#pragma once

#include "cytograd/ops/conv2d_batch_norm.h"

namespace cytograd {

/// conv2d_batch_norm(batch_norm(x, before), conv, after): the first half of a dense layer. In
/// training with a pointwise convolution (1x1, stride 1, no padding, groups or bias) and a ReLU in
/// `before` it is one operation: on CUDA, where products are rounded anyway (bfloat16, TF32), the
/// normalised input is never stored but made while the convolution reads x, and again where its
/// gradient by the filters does. Elsewhere the same bits as the two operations.
/// @param x  [N, H, W, C]; slices of channels are read in place
/// @throws what conv2d and batch_norm throw
Tensor batch_norm_conv2d(const Tensor& x, const BatchNormLayer& before, const Conv2dLayer& conv,
                         const BatchNormLayer& after);

}  // namespace cytograd
