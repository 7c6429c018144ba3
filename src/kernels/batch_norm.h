#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/batch_statistics.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// x, y, residual and gradients are [..., C] with a row_stride (kernels/row_stride.h); vectors are
/// [C] and packed; all of one floating dtype, except that vectors are float32 where x is bfloat16.

/// Mean and rstd of the batch; running statistics, if defined, are updated.
void batch_norm_statistics(CpuContext, const Tensor& x, const BatchStatistics& statistics);
void batch_norm_statistics(CudaContext, const Tensor& x, const BatchStatistics& statistics);

/// Mean and biased variance [C] of x, float64.
void channel_moments(CpuContext, const Tensor& x, const Tensor& mean, const Tensor& variance);
void channel_moments(CudaContext, const Tensor& x, const Tensor& mean, const Tensor& variance);

/// batch_norm_statistics of `rows` rows whose mean and biased variance are known: float64, or on
/// CUDA float32.
void batch_norm_from_moments(CpuContext, int64_t rows, const Tensor& mean, const Tensor& variance,
                             const BatchStatistics& statistics);
void batch_norm_from_moments(CudaContext, int64_t rows, const Tensor& mean, const Tensor& variance,
                             const BatchStatistics& statistics);

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
