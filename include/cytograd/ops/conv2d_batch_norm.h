#pragma once

#include "cytograd/ops/batch_norm.h"
#include "cytograd/ops/conv2d.h"

namespace cytograd {

/// What conv2d takes beside its input.
struct Conv2dLayer {
  Tensor weight, bias;
  Conv2dOptions options;
};

/// batch_norm(conv2d(x), residual), as these are documented. In training on CUDA, where products
/// are rounded anyway (bfloat16, TF32), mean and variance are summed while the convolution stores
/// its result, which saves reading it once more; sums are relative to the running mean. Elsewhere
/// these are the two operations, bit by bit.
/// @throws what conv2d and batch_norm throw, before anything is computed
Tensor conv2d_batch_norm(const Tensor& x, const Conv2dLayer& conv, const BatchNormLayer& norm,
                         const Tensor& residual = {});

}  // namespace cytograd
