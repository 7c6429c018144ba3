#include "kernels/conv2d_batch_norm.h"

#include "cuda/conv2d/depthwise.h"
#include "cuda/conv2d/fusion.h"
#include "cytograd/core/cuda.h"
#include "kernels/batch_norm.h"

namespace cytograd::kernels {
namespace {

// Sums of squares lose digits where a channel's mean is far from its running mean. Results of
// rounded products have fewer digits than that; exact ones get the two passes of batch_norm.
bool takes_statistics(const Conv2dShape& shape, const Tensor& y) {
  return cuda_kernels() == CudaKernels::own && cuda::rounds_products(y.dtype()) && y.numel() > 0 &&
         !cuda::is_depthwise(shape);
}

}  // namespace

void conv2d_forward_statistics(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                               const Tensor& weight, const Tensor& bias, const Tensor& y,
                               const BatchStatistics& statistics) {
  if (!takes_statistics(shape, y)) {
    conv2d_forward(ctx, shape, x, weight, bias, y);
    return batch_norm_statistics(ctx, y, statistics);
  }
  const Tensor variance = Tensor::empty_like(statistics.mean);
  conv2d_forward(ctx, shape, x, weight, y,
                 {.bias = bias,
                  .mean = statistics.mean,
                  .variance = variance,
                  .shift = statistics.running_mean});
  batch_norm_from_moments(ctx, y.numel() / shape.c_out, statistics.mean, variance, statistics);
}

}  // namespace cytograd::kernels
