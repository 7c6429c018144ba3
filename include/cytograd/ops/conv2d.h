#pragma once

#include "cytograd/core/pair.h"
#include "cytograd/core/tensor.h"

namespace cytograd {

struct Conv2dOptions {
  Pair stride = 1;
  Pair padding = 0;    ///< zeros on both sides
  Pair dilation = 1;   ///< distance between filter taps
  int64_t groups = 1;  ///< channels are split into this many independent convolutions
};

/// Two-dimensional convolution (cross-correlation, the filter is not flipped):
/// y[n, i, j, o] = bias[o] + sum over a, b, c of
/// weight[o, a, b, c] x[n, i stride + a dilation - padding, j stride + b dilation - padding, g +
/// c], where g is the first input channel of o's group and x is 0 outside the image.
///
/// @param x       [N, H, W, C_in]
/// @param weight  [C_out, kH, kW, C_in / groups]
/// @param bias    [C_out], or undefined for none
/// @return [N, H', W', C_out], H' = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1
///
/// Gradients: x, weight, bias. float32, float64, bfloat16 on CUDA (core/autocast.h). Same bits for
/// any number of threads.
/// @throws ShapeError for shapes that do not fit or a filter larger than the padded image;
/// ValueError for stride, dilation or groups < 1 or padding < 0; DtypeError
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {});

}  // namespace cytograd
