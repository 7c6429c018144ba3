#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// All tensors of a call are contiguous, of one shape and floating dtype, and changed in place
/// unless const is written. One pass over memory.

struct SgdStep {
  double lr, momentum, weight_decay;
  bool nesterov;
  bool first;  ///< the momentum buffer starts as the gradient
};
/// g' = g + weight_decay w; buffer = momentum buffer + g'; w -= lr (nesterov ? g' + momentum buffer
/// : buffer). `buffer` is undefined without momentum.
void sgd_step(CpuContext, const Tensor& weight, const Tensor& grad, const Tensor& buffer,
              const SgdStep& step);
void sgd_step(CudaContext, const Tensor& weight, const Tensor& grad, const Tensor& buffer,
              const SgdStep& step);

struct AdamStep {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;      ///< AdamW: w -= lr weight_decay w instead of decay in the gradient
  double correction1;  ///< 1 - beta1^step
  double correction2;  ///< 1 - beta2^step
};
/// m and v move towards g and g^2; w -= lr (m / correction1) / (sqrt(v / correction2) + eps).
void adam_step(CpuContext, const Tensor& weight, const Tensor& grad, const Tensor& m,
               const Tensor& v, const AdamStep& step);
void adam_step(CudaContext, const Tensor& weight, const Tensor& grad, const Tensor& m,
               const Tensor& v, const AdamStep& step);

/// average += (1 - decay) (weight - average).
void ema_step(CpuContext, const Tensor& average, const Tensor& weight, double decay);
void ema_step(CudaContext, const Tensor& average, const Tensor& weight, double decay);

/// Sum of squares in float64, over fixed chunks combined in order.
double sum_of_squares(CpuContext, const Tensor& x);
double sum_of_squares(CudaContext, const Tensor& x);

/// x *= factor.
void scale(CpuContext, const Tensor& x, double factor);
void scale(CudaContext, const Tensor& x, double factor);

}  // namespace cytograd::kernels
