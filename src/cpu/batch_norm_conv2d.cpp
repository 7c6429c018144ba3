#include "kernels/batch_norm_conv2d.h"

namespace cytograd::kernels {

Tensor norm_conv2d_forward(CpuContext ctx, const NormConv2d& p, const Tensor& y,
                           const BatchStatistics& statistics) {
  return norm_conv2d_forward_in_steps(ctx, p, y, statistics);
}

void norm_conv2d_backward_weight(CpuContext ctx, const NormConv2d& p, const Tensor& dy,
                                 const Tensor& dw) {
  norm_conv2d_backward_weight_in_steps(ctx, p, dy, dw);
}

}  // namespace cytograd::kernels
