#pragma once

#include <functional>

#include "cytograd/ops/conv2d.h"
#include "kernels/conv2d.h"

namespace cytograd {

/// Computes y, which is allocated; x, weight and bias are packed.
using Conv2dForward =
    std::function<void(const kernels::Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                       const Tensor& bias, const Tensor& y)>;

/// The sizes of conv2d. @throws what conv2d throws
kernels::Conv2dShape conv2d_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                  const Conv2dOptions& options);

/// conv2d with `forward` for its forward pass, recorded.
Tensor conv2d_by(const Conv2dForward& forward, const Tensor& x, const Tensor& weight,
                 const Tensor& bias, const Conv2dOptions& options);

}  // namespace cytograd
