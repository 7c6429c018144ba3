#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// x, y [..., C]; vectors [C]; all packed, one floating dtype. weight, bias may be undefined.

/// Normalises by the batch. `mean`, `rstd` (1 / sqrt(var + eps)) are written for backward; running
/// statistics, if defined, are updated.
void batch_norm_training(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& bias,
                         const Tensor& running_mean, const Tensor& running_var, double momentum,
                         double eps, const Tensor& y, const Tensor& mean, const Tensor& rstd);

/// Normalises by the running statistics. `mean` and `rstd` are written for backward.
void batch_norm_evaluation(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& bias,
                           const Tensor& running_mean, const Tensor& running_var, double eps,
                           const Tensor& y, const Tensor& mean, const Tensor& rstd);

/// Undefined results are not computed. `training`: mean and rstd depend on x.
void batch_norm_backward(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dy, bool training, const Tensor& dx,
                         const Tensor& dweight, const Tensor& dbias);

}  // namespace cytograd::kernels
