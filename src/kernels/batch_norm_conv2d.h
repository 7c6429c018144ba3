#pragma once

#include "kernels/batch_norm.h"
#include "kernels/context.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_batch_norm.h"

namespace cytograd::kernels {

/// A pointwise convolution of z = max(norm(x), 0).
struct NormConv2d {
  Conv2dShape shape;      ///< packed
  Tensor x;               ///< with a row_stride
  BatchNormVectors norm;  ///< mean and rstd of x, its weight and bias
  Tensor weight;          ///< packed
  Tensor z;               ///< packed, if it was kept
};

/// y = the convolution, and its statistics. @return z if it was made, else undefined
Tensor norm_conv2d_forward(CpuContext, const NormConv2d& p, const Tensor& y,
                           const BatchStatistics& statistics);
Tensor norm_conv2d_forward(CudaContext, const NormConv2d& p, const Tensor& y,
                           const BatchStatistics& statistics);

/// dw = the gradient by the filters.
void norm_conv2d_backward_weight(CpuContext, const NormConv2d& p, const Tensor& dy,
                                 const Tensor& dw);
void norm_conv2d_backward_weight(CudaContext, const NormConv2d& p, const Tensor& dy,
                                 const Tensor& dw);

/// z, made where it was not kept.
template <class Context>
Tensor normalized_input(Context ctx, const NormConv2d& p) {
  if (p.z.defined()) return p.z;
  const Tensor z = Tensor::empty(p.x.shape(), p.x.dtype(), p.x.device());
  batch_norm_apply(ctx, p.x, p.norm, {}, true, z);
  return z;
}

/// Both kernels one step after the other.
template <class Context>
Tensor norm_conv2d_forward_in_steps(Context ctx, const NormConv2d& p, const Tensor& y,
                                    const BatchStatistics& statistics) {
  const Tensor z = normalized_input(ctx, p);
  conv2d_forward_statistics(ctx, p.shape, z, p.weight, {}, y, statistics);
  return z;
}
template <class Context>
void norm_conv2d_backward_weight_in_steps(Context ctx, const NormConv2d& p, const Tensor& dy,
                                          const Tensor& dw) {
  conv2d_backward_weight(ctx, p.shape, normalized_input(ctx, p), dy, dw);
}

}  // namespace cytograd::kernels
