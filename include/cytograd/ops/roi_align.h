#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

struct RoiAlignOptions {
  int64_t height = 7, width = 7;  ///< bins
  double spatial_scale = 1;       ///< feature cells per unit of the boxes, e.g. 1/16
  int64_t sampling_ratio = 2;     ///< samples per bin and axis; 0: ceil(box size / bins), per axis
  bool aligned = false;           ///< half a cell less: cell centres lie at whole numbers + 1/2
};

/// Pools each region of interest to a fixed grid by bilinear sampling (He et al. 2017, section 3).
///
/// With x0 = x1 scale - h, y0 alike (h = 1/2 if aligned, else 0), and box sizes (x2 - x1) scale,
/// at least 1 unless aligned: sample (p, s) of n bins with g samples each lies at
/// y0 + p b + (s + 1/2) b / g with b = size / n. A bin is the mean of its samples. Samples beyond
/// one cell outside the features are 0 and count; those on the rim take the value of the border.
/// @param features [N, H, W, C]
/// @param rois     [M, 5]: batch index, x1, y1, x2, y2, in the dtype of the features
/// @return [M, height, width, C]. Gradient: features only. float32, float64.
/// Deterministic, the gradient too: on CUDA every cell gathers what the boxes send there.
/// @throws ShapeError; DtypeError; StateError if the rois require a gradient; ValueError for
/// height, width < 1, sampling_ratio < 0, a scale that is not positive, or a batch index that is
/// not one of 0..N-1 (on CUDA, where looking at it would wait for the device, such a box gives NaN)
Tensor roi_align(const Tensor& features, const Tensor& rois, const RoiAlignOptions& options = {});

}  // namespace cytograd
