#pragma once

#include "cytograd/core/pair.h"
#include "cytograd/core/tensor.h"

/// @file
/// Pooling over windows of an image [N, H, W, C], each channel by itself. float32, float64,
/// bfloat16 on CUDA. Same bits for any number of threads, forward and backward.
///
/// A sliding window gives H' = floor((H + 2 padding - kernel) / stride) + 1 rows; with ceil_mode
/// the floor is a ceiling, less a last window that would start beyond the image and its leading
/// padding. An adaptive window i of n over H rows is
/// floor(i H / n) .. ceil((i + 1) H / n) - 1; windows overlap where n does not divide H.

namespace cytograd {

struct Pool2dOptions {
  Pair kernel;
  Pair stride = 0;   ///< 0 stands for `kernel`
  Pair padding = 0;  ///< on both sides; at most half the kernel
  bool ceil_mode = false;
};

/// The largest value of each window; padding never wins. NaN in a window gives NaN. The gradient
/// goes to the first largest value in row-major order (to the last NaN if there is one).
///
/// @param x  [N, H, W, C]   @return [N, H', W', C]
/// Gradient: x. Backward keeps one byte per result (eight if the window has more than 256 pixels).
/// @throws ShapeError unless x has four axes, or if the kernel is larger than the padded image;
/// ValueError for kernel or stride < 1, or padding < 0 or > kernel / 2; DtypeError
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options);

/// The mean of each window.
///
/// @param x  [N, H, W, C]   @return [N, H', W', C]
/// @param count_include_pad  divide by the window's size with the zeros of the padding counted
/// (rows
///        that ceil_mode adds beyond the padding never count); else by its pixels inside the image
/// Gradient: x.
/// @throws as max_pool2d
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options, bool count_include_pad = true);

/// The mean of each adaptive window; (1, 1) is global average pooling.
///
/// @param x  [N, H, W, C]   @return [N, height, width, C]
/// Gradient: x.
/// @throws ShapeError unless x has four axes and a pixel; ValueError for height or width < 1;
/// DtypeError
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width);

/// The largest value of each adaptive window; ties and NaN as in max_pool2d.
///
/// @param x  [N, H, W, C]   @return [N, height, width, C]
/// Gradient: x.
/// @throws as adaptive_avg_pool2d
Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width);

}  // namespace cytograd
