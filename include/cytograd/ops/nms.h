#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Greedy non-maximum suppression: boxes in order of falling score, equal scores in their order;
/// a box goes if its overlap (intersection over union) with a kept one of its group is greater than
/// `threshold`.
/// @param boxes   [M, 4]: x1, y1, x2, y2   @param scores [M], NaN counting as the lowest
/// @param groups  [M], int64, or undefined: all boxes are one group
/// @return the kept places, int64 [K], in order of falling score. float32, no gradient.
/// Deterministic; the overlap is rounded alike on all devices. On CUDA all of it runs there, cost
/// M^2, and the call waits for K.
/// @throws ShapeError, DtypeError, DeviceError; ValueError for a threshold outside [0, 1]
Tensor nms(const Tensor& boxes, const Tensor& scores, double threshold, const Tensor& groups = {});

}  // namespace cytograd
