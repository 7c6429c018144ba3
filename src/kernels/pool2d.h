#pragma once

#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// One window along one axis: pixels begin..end-1, never empty, clipped to the image.
struct PoolWindow {
  int64_t begin, end;
  int64_t divisor;  ///< pixels that the mean counts, padding included where it does
};

/// The windows of both axes; begins and ends never fall along an axis.
struct PoolWindows {
  std::vector<PoolWindow> rows, columns;
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
