#pragma once

#include "kernels/batch_statistics.h"
#include "kernels/context.h"
#include "kernels/conv2d.h"

namespace cytograd::kernels {

/// conv2d_forward, and the statistics of y as batch_norm_statistics gives them.
void conv2d_forward_statistics(CpuContext, const Conv2dShape& shape, const Tensor& x,
                               const Tensor& weight, const Tensor& bias, const Tensor& y,
                               const BatchStatistics& statistics);
void conv2d_forward_statistics(CudaContext, const Conv2dShape& shape, const Tensor& x,
                               const Tensor& weight, const Tensor& bias, const Tensor& y,
                               const BatchStatistics& statistics);

}  // namespace cytograd::kernels
