#include "cytograd/ops/conv2d_batch_norm.h"

#include "kernels/conv2d_batch_norm.h"
#include "ops/batch_norm_parts.h"
#include "ops/conv2d_parts.h"

namespace cytograd {

Tensor conv2d_batch_norm(const Tensor& x, const Conv2dLayer& conv, const BatchNormLayer& norm,
                         const Tensor& residual) {
  if (!norm.options.training)
    return batch_norm(conv2d(x, conv.weight, conv.bias, conv.options), norm.weight, norm.bias,
                      norm.running_mean, norm.running_var, norm.options, residual);
  kernels::BatchStatistics statistics;
  const auto forward = [&](const kernels::Conv2dShape& shape, const Tensor& image,
                           const Tensor& weight, const Tensor& bias, const Tensor& y) {
    check_batch_norm(y, norm, residual);
    statistics = statistics_for(y, norm);
    on_device(y, [&](auto ctx) {
      kernels::conv2d_forward_statistics(ctx, shape, image, weight, bias, y, statistics);
    });
    write_running(norm, statistics);
  };
  const Tensor y = conv2d_by(forward, x, conv.weight, conv.bias, conv.options);
  return normalized(y, norm, statistics.mean, statistics.rstd, residual);
}

}  // namespace cytograd
