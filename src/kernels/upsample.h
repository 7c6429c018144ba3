#pragma once

#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// Where one output row or column is read: (1 - weight) x[low] + weight x[high].
struct Tap {
  int64_t low, high;
  double weight;
};

/// One entry per output row and column; low and high never fall along an axis.
struct Taps {
  std::vector<Tap> rows, columns;
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
