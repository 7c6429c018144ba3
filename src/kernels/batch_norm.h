#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// x, y, residual and gradients are [..., C] with a row_stride (kernels/row_stride.h); vectors are
/// [C] and packed; all of one floating dtype.

/// Mean and rstd (1 / sqrt(var + eps)) of the batch; running statistics, if defined, are updated.
void batch_norm_statistics(CpuContext, const Tensor& x, const Tensor& running_mean,
                           const Tensor& running_var, double momentum, double eps,
                           const Tensor& mean, const Tensor& rstd);
void batch_norm_statistics(CudaContext, const Tensor& x, const Tensor& running_mean,
                           const Tensor& running_var, double momentum, double eps,
                           const Tensor& mean, const Tensor& rstd);

/// Mean and rstd from the running statistics.
void batch_norm_running(CpuContext, const Tensor& running_mean, const Tensor& running_var,
                        double eps, const Tensor& mean, const Tensor& rstd);
void batch_norm_running(CudaContext, const Tensor& running_mean, const Tensor& running_var,
                        double eps, const Tensor& mean, const Tensor& rstd);

struct BatchNormVectors {
  Tensor weight, bias, mean, rstd;  ///< weight, bias may be undefined
};

/// y = (x - mean) rstd weight + bias (+ residual if defined), then max(., 0) if `relu`.
void batch_norm_apply(CpuContext, const Tensor& x, const BatchNormVectors& v,
                      const Tensor& residual, bool relu, const Tensor& y);
void batch_norm_apply(CudaContext, const Tensor& x, const BatchNormVectors& v,
                      const Tensor& residual, bool relu, const Tensor& y);

/// What batch_norm_backward reads, and where it writes what is defined.
struct BatchNormBackward {
  Tensor x, dy;
  BatchNormVectors v;
  bool training;    ///< mean and rstd depend on x
  bool relu;        ///< dy counts only where the result was > 0,
  Tensor y;         ///< which this tells; if undefined, it is computed from x again
  Tensor masked;    ///< with y: where dy goes, 0 where it does not count; may be dy
  Tensor dx;        ///< may be dy
  bool accumulate;  ///< add to dx
  Tensor dweight, dbias;
};
void batch_norm_backward(CpuContext, const BatchNormBackward& b);
void batch_norm_backward(CudaContext, const BatchNormBackward& b);

}  // namespace cytograd::kernels
