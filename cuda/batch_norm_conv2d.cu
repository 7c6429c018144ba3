#include "kernels/batch_norm_conv2d.h"

#include "cuda/batch_norm.h"
#include "cuda/conv2d/fusion.h"
#include "cytograd/core/cuda.h"
#include "kernels/row_stride.h"

namespace cytograd::kernels {
namespace {

// As max(x * scale + shift, 0), with the shape that says how far apart the pixels of x are.
struct MappedInput {
  Conv2dShape shape;
  Tensor scale, shift;
  MappedInput(CudaContext ctx, const NormConv2d& p)
      : shape(p.shape), scale(Tensor::empty_like(p.norm.mean)), shift(Tensor::empty_like(scale)) {
    shape.x_pitch = row_stride(p.x);
    batch_norm_map(ctx, p.norm, scale, shift);
  }
};

bool reads_through_norm(const NormConv2d& p) {
  return cuda_kernels() == CudaKernels::own && cuda::rounds_products(p.x.dtype()) &&
         p.x.numel() > 0 && !p.z.defined();
}

}  // namespace

Tensor norm_conv2d_forward(CudaContext ctx, const NormConv2d& p, const Tensor& y,
                           const BatchStatistics& statistics) {
  if (!reads_through_norm(p)) return norm_conv2d_forward_in_steps(ctx, p, y, statistics);
  const MappedInput in(ctx, p);
  const Tensor variance = Tensor::empty_like(statistics.mean);
  conv2d_forward(ctx, in.shape, p.x, p.weight, y,
                 {.input_scale = in.scale,
                  .input_shift = in.shift,
                  .mean = statistics.mean,
                  .variance = variance,
                  .shift = statistics.running_mean});
  batch_norm_from_moments(ctx, y.numel() / p.shape.c_out, statistics.mean, variance, statistics);
  return {};
}

void norm_conv2d_backward_weight(CudaContext ctx, const NormConv2d& p, const Tensor& dy,
                                 const Tensor& dw) {
  if (!reads_through_norm(p)) return norm_conv2d_backward_weight_in_steps(ctx, p, dy, dw);
  const MappedInput in(ctx, p);
  conv2d_backward_weight(ctx, in.shape, p.x, dy, dw, in.scale, in.shift);
}

}  // namespace cytograd::kernels
