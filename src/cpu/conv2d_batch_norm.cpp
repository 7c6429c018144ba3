#include "kernels/conv2d_batch_norm.h"

#include "kernels/batch_norm.h"

namespace cytograd::kernels {

void conv2d_forward_statistics(CpuContext ctx, const Conv2dShape& shape, const Tensor& x,
                               const Tensor& weight, const Tensor& bias, const Tensor& y,
                               const BatchStatistics& statistics) {
  conv2d_forward(ctx, shape, x, weight, bias, y);
  batch_norm_statistics(ctx, y, statistics);
}

}  // namespace cytograd::kernels
