#pragma once

#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/math.h"

namespace cytograd::kernels {

/// One window along one axis: pixels begin..end-1, never empty, clipped to the image.
template <class I>
struct PoolWindowOf {
  I begin, end;
  I divisor;  ///< pixels that the mean counts, padding included where it does
};
using PoolWindow = PoolWindowOf<int64_t>;

/// How the windows of an axis follow from their number, for kernels that have no table of them.
/// Their begins and ends never fall along the axis. I: int64_t, or int on a device where the axis
/// is no longer than that.
template <class I>
struct PoolAxisOf {
  I size = 0;                ///< pixels
  I count = 0;               ///< windows
  I kernel = 0, stride = 0;  ///< of sliding windows; stride 0: windows share the axis evenly
  I padding = 0;
  bool count_padding = false;

  CYTOGRAD_HD PoolWindowOf<I> window(I i) const {
    if (stride == 0) {
      const auto pixels = static_cast<int64_t>(size), parts = static_cast<int64_t>(count);
      const auto begin = static_cast<I>(i * pixels / parts),
                 end = static_cast<I>(((i + 1) * pixels + parts - 1) / parts);
      return {begin, end, end - begin};
    }
    const I start = i * stride - padding, stop = start + kernel;
    const I padded_end = stop < size + padding ? stop : size + padding;
    const I begin = start > 0 ? start : 0, end = padded_end < size ? padded_end : size;
    return {begin, end, count_padding ? padded_end - start : end - begin};
  }
};
using PoolAxis = PoolAxisOf<int64_t>;

/// The windows of both axes.
struct PoolWindows {
  std::vector<PoolWindow> rows, columns;
  PoolAxis row_axis, column_axis;  ///< the same

  PoolWindows() = default;
  PoolWindows(const PoolAxis& r, const PoolAxis& c)
      : rows(table(r)), columns(table(c)), row_axis(r), column_axis(c) {}

 private:
  static std::vector<PoolWindow> table(const PoolAxis& axis) {
    std::vector<PoolWindow> out;
    for (int64_t i = 0; i < axis.count; ++i) out.push_back(axis.window(i));
    return out;
  }
};

/// y [N, rows, columns, C] from packed x [N, H, W, C]. `index` (uint8 or int64, y's shape) is the
/// place of the largest value in its window, row by row; undefined if it is not needed.
void max_pool2d(CpuContext, const Tensor& x, const PoolWindows& windows, const Tensor& y,
                const Tensor& index);
void max_pool2d(CudaContext, const Tensor& x, const PoolWindows& windows, const Tensor& y,
                const Tensor& index);
void max_pool2d_backward(CpuContext, const Tensor& dy, const Tensor& index,
                         const PoolWindows& windows, const Tensor& dx);
void max_pool2d_backward(CudaContext, const Tensor& dy, const Tensor& index,
                         const PoolWindows& windows, const Tensor& dx);

void avg_pool2d(CpuContext, const Tensor& x, const PoolWindows& windows, const Tensor& y);
void avg_pool2d(CudaContext, const Tensor& x, const PoolWindows& windows, const Tensor& y);
void avg_pool2d_backward(CpuContext, const Tensor& dy, const PoolWindows& windows,
                         const Tensor& dx);
void avg_pool2d_backward(CudaContext, const Tensor& dy, const PoolWindows& windows,
                         const Tensor& dx);

}  // namespace cytograd::kernels
