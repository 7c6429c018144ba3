#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Sum of (w prediction - w target)^2 in one pass: what reconstruction losses scale.
///
/// @param prediction, target  one shape and dtype
/// @param weight  undefined for 1, or the shape of `prediction` with 1 for the last axis: a mask
///                [N, H, W, 1] of images [N, H, W, C]. It enters squared, so 0.5 counts a quarter
/// @return a scalar. Gradients: prediction, 2 w^2 (prediction - target), and target, its negative.
///
/// float32 (summed in float64), float64. Sums run over fixed chunks combined in order: same bits
/// for any number of threads.
/// @throws ShapeError, DtypeError; StateError for a weight that requires a gradient
Tensor squared_error(const Tensor& prediction, const Tensor& target, const Tensor& weight = {});

}  // namespace cytograd
