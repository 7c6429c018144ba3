#pragma once

#include <vector>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

// Everything here works on all tensors of a model at once: on CUDA in one launch per few hundred.
// Tensors are packed; those of one item have one shape and floating dtype.

/// One parameter of an optimiser's step; weight and moments are changed in place.
struct ParameterUpdate {
  Tensor weight, grad;
  Tensor first, second;  ///< moments; undefined where the optimiser has none
  double lr_scale = 1, weight_decay = 0;
  int64_t steps = 1;  ///< updates of this parameter, this one included
};
using ParameterUpdates = std::vector<ParameterUpdate>;

/// What the numbers of a step are on CUDA, so that a captured graph can run it again: float64
/// [lr, steps before this one]. The kernel counts the step; the host writes the learning rate.
/// Undefined on the CPU, where `lr` and `step` of the options count.
using StepControl = Tensor;

struct SgdStep {
  double lr, momentum;
  bool nesterov;
};
/// g' = g + weight_decay w; first = momentum first + g' (g' at the first step); w -= lr (nesterov ?
/// g' + momentum first : first), or lr g' without momentum.
void sgd_step(CpuContext, const ParameterUpdates& updates, const SgdStep& step,
              const StepControl& control);
void sgd_step(CudaContext, const ParameterUpdates& updates, const SgdStep& step,
              const StepControl& control);

struct AdamStep {
  double lr, beta1, beta2, eps;
  bool decoupled;  ///< AdamW: w -= lr weight_decay w instead of decay in the gradient
  int64_t step;    ///< of the optimiser, this one included
};
/// first and second move towards g and g^2;
/// w -= lr (first / (1 - beta1^steps)) / (sqrt(second / (1 - beta2^steps)) + eps).
void adam_step(CpuContext, const ParameterUpdates& updates, const AdamStep& step,
               const StepControl& control);
void adam_step(CudaContext, const ParameterUpdates& updates, const AdamStep& step,
               const StepControl& control);

/// averages[i] += (1 - decay) (weights[i] - averages[i]).
void ema_step(CpuContext, const Tensors& averages, const Tensors& weights, double decay);
void ema_step(CudaContext, const Tensors& averages, const Tensors& weights, double decay);

/// norm (a float64 scalar) = the common Euclidean length of the gradients; if it is finite and
/// larger than max_norm, they are scaled by max_norm / (norm + 1e-6). Sums in float64 over fixed
/// chunks combined in order.
void clip_by_norm(CpuContext, const Tensors& grads, double max_norm, const Tensor& norm);
void clip_by_norm(CudaContext, const Tensors& grads, double max_norm, const Tensor& norm);

}  // namespace cytograd::kernels
