#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// Resizing of images [N, H, W, C] to any height and width, smaller ones included (without
/// smoothing). Gradient: x. float32, float64, bfloat16 on CUDA. Same bits for any number of
/// threads. All throw ShapeError unless x has four axes and a pixel, ValueError for height or width
/// < 1, DtypeError.

namespace cytograd {

/// Nearest neighbour: y[n, i, j] = x[n, floor(i H / height), floor(j W / width)].
/// @param x  [N, H, W, C]   @return [N, height, width, C]
Tensor upsample_nearest(const Tensor& x, int64_t height, int64_t width);

/// Bilinear interpolation between pixel centres. Row i is read at max((i + 0.5) H / height - 0.5,
/// 0) (half-pixel centres), or with align_corners at i (H - 1) / (height - 1), which maps corner
/// pixels on corner pixels; columns alike.
/// @param x  [N, H, W, C]   @return [N, height, width, C]
Tensor upsample_bilinear(const Tensor& x, int64_t height, int64_t width,
                         bool align_corners = false);

}  // namespace cytograd
