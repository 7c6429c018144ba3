#pragma once

#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/math.h"

namespace cytograd::kernels {

/// Where one output row or column is read: (1 - weight) x[low] + weight x[high].
template <class I>
struct TapOf {
  I low, high;
  double weight;
};
using Tap = TapOf<int64_t>;

/// How the taps of an axis follow from their number, for kernels that have no table of them. low
/// and high never fall along the axis. I: int64_t, or int on a device where the axis is no longer
/// than that.
template <class I>
struct TapAxisOf {
  enum class Kind { nearest, half_pixel, align_corners };
  I in = 0, out = 0;
  Kind kind = Kind::nearest;

  CYTOGRAD_HD TapOf<I> tap(I i) const {
    if (kind == Kind::nearest) {
      const auto low = static_cast<I>(static_cast<int64_t>(i) * in / out);
      return {low, low, 0};
    }
    double at = 0;
    if (kind == Kind::half_pixel) {
      at =
          (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
      at = at < 0 ? 0 : at;
    } else if (out > 1) {
      at = static_cast<double>(static_cast<int64_t>(i) * (in - 1)) / static_cast<double>(out - 1);
    }
    const I floor = static_cast<I>(at), low = floor < in - 1 ? floor : in - 1;
    return {low, low + 1 < in ? low + 1 : low, at - static_cast<double>(low)};
  }
};
using TapAxis = TapAxisOf<int64_t>;

/// One entry per output row and column.
struct Taps {
  std::vector<Tap> rows, columns;
  TapAxis row_axis, column_axis;  ///< the same

  Taps() = default;
  Taps(const TapAxis& r, const TapAxis& c)
      : rows(table(r)), columns(table(c)), row_axis(r), column_axis(c) {}

 private:
  static std::vector<Tap> table(const TapAxis& axis) {
    std::vector<Tap> out;
    for (int64_t i = 0; i < axis.out; ++i) out.push_back(axis.tap(i));
    return out;
  }
};

/// y [N, rows, columns, C] = x [N, H, W, C] at `low` of each tap. Packed.
void upsample_nearest(CpuContext, const Tensor& x, const Taps& taps, const Tensor& y);
void upsample_nearest(CudaContext, const Tensor& x, const Taps& taps, const Tensor& y);
void upsample_nearest_backward(CpuContext, const Tensor& dy, const Taps& taps, const Tensor& dx);
void upsample_nearest_backward(CudaContext, const Tensor& dy, const Taps& taps, const Tensor& dx);

/// The same with both pixels of each tap, weighted.
void upsample_bilinear(CpuContext, const Tensor& x, const Taps& taps, const Tensor& y);
void upsample_bilinear(CudaContext, const Tensor& x, const Taps& taps, const Tensor& y);
void upsample_bilinear_backward(CpuContext, const Tensor& dy, const Taps& taps, const Tensor& dx);
void upsample_bilinear_backward(CudaContext, const Tensor& dy, const Taps& taps, const Tensor& dx);

}  // namespace cytograd::kernels
