#pragma once

#include <cmath>

#include "cytograd/core/tensor.h"
#include "cytograd/ops/roi_align.h"
#include "kernels/context.h"
#include "kernels/math.h"

namespace cytograd::kernels {

/// Where a sample reads an axis: (1 - weight) x[low] + weight x[high]; nowhere if it is outside.
template <class A>
struct RoiTap {
  int low, high;
  A weight;
  bool inside;
  /// The share of cell p in the sample. low and high coincide at the border: both count.
  CYTOGRAD_HD A share(int p) const {
    return inside ? (low == p ? 1 - weight : A(0)) + (high == p ? weight : A(0)) : A(0);
  }
};

/// The samples of a box along one axis.
template <class A>
struct RoiAxis {
  A start, bin;
  int bins, grid;  ///< samples per bin

  CYTOGRAD_HD RoiAxis(A from, A to, A scale, int bin_count, int sampling_ratio, bool aligned)
      : start(from * scale - (aligned ? A(0.5) : A(0))), bins(bin_count) {
    A size = (to - from) * scale;
    if (!aligned && !(size >= 1)) size = 1;
    bin = size / static_cast<A>(bins);
    grid = sampling_ratio;
    if (grid > 0) return;
    constexpr A most = 1 << 15;  // no feature map is that long; and NaN takes no sample
    grid = bin > 0 ? static_cast<int>(std::ceil(bin < most ? bin : most)) : 0;
  }
  CYTOGRAD_HD A position(int p, int s) const {
    return start + static_cast<A>(p) * bin +
           (static_cast<A>(s) + A(0.5)) * bin / static_cast<A>(grid);
  }
  CYTOGRAD_HD RoiTap<A> tap(int p, int s, int cells) const {
    A at = position(p, s);
    if (!(at >= -1 && at <= static_cast<A>(cells))) return {0, 0, 0, false};
    if (at < 0) at = 0;
    const int low = static_cast<int>(at);
    if (low >= cells - 1) return {cells - 1, cells - 1, 0, true};
    return {low, low + 1, at - static_cast<A>(low), true};
  }
};

/// One box.
template <class A>
struct RoiBox {
  int64_t image;
  RoiAxis<A> y, x;
  A share;  ///< of a sample in its bin

  CYTOGRAD_HD RoiBox(const A* roi, const RoiAlignOptions& o)
      : image(roi[0] >= 0 ? static_cast<int64_t>(roi[0]) : -1),
        y(roi[2], roi[4], static_cast<A>(o.spatial_scale), static_cast<int>(o.height),
          static_cast<int>(o.sampling_ratio), o.aligned),
        x(roi[1], roi[3], static_cast<A>(o.spatial_scale), static_cast<int>(o.width),
          static_cast<int>(o.sampling_ratio), o.aligned) {
    const int count = y.grid * x.grid;
    share = A(1) / static_cast<A>(count > 1 ? count : 1);
  }
};

/// Everything packed; rois [M, 5] in float64 for float64 features, else in float32.
void roi_align(CpuContext, const Tensor& features, const Tensor& rois, const RoiAlignOptions& o,
               const Tensor& y);
void roi_align(CudaContext, const Tensor& features, const Tensor& rois, const RoiAlignOptions& o,
               const Tensor& y);

/// dx [N, H, W, C], overwritten.
void roi_align_backward(CpuContext, const Tensor& dy, const Tensor& rois, const RoiAlignOptions& o,
                        const Tensor& dx);
void roi_align_backward(CudaContext, const Tensor& dy, const Tensor& rois, const RoiAlignOptions& o,
                        const Tensor& dx);

}  // namespace cytograd::kernels
