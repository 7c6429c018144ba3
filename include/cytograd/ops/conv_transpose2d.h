#pragma once

#include "cytograd/core/pair.h"
#include "cytograd/core/tensor.h"

namespace cytograd {

struct ConvTranspose2dOptions {
  Pair stride = 1;
  Pair padding = 0;         ///< rows and columns cut from each side of the result
  Pair output_padding = 0;  ///< extra rows below and columns to the right; < stride
  Pair dilation = 1;        ///< distance between filter taps
  int64_t groups = 1;       ///< channels are split into this many independent convolutions
};

/// Transposed convolution: the gradient of `conv2d` with respect to its input, as an operation.
/// Each x[n, i, j, c] adds x weight[c, a, b, o] to
/// y[n, i stride + a dilation - padding, j stride + b dilation - padding, g + o], where g is the
/// first output channel of c's group.
///
/// @param x       [N, H, W, C_in]
/// @param weight  [C_in, kH, kW, C_out / groups]
/// @param bias    [C_out], or undefined for none
/// @return [N, H', W', C_out],
///         H' = (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1
///
/// Gradients: x, weight, bias. float32, float64, bfloat16 on CUDA (core/autocast.h). Same bits for
/// any number of threads.
/// @throws ShapeError for shapes that do not fit or an empty result; ValueError for stride,
/// dilation or groups < 1, padding < 0 or output_padding outside 0..stride-1;
/// DtypeError
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {});

}  // namespace cytograd
