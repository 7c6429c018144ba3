#pragma once

#include "cytograd/optim/optimizer.h"

namespace cytograd::optim {

/// Euclidean length of all gradients together, in float64; parameters without one count as 0.
double grad_norm(const NamedTensors& parameters);

/// Scales all gradients in place by max_norm / (norm + 1e-6) if their common length is larger than
/// max_norm, as torch.nn.utils.clip_grad_norm_. A length that is not finite changes nothing.
/// @return the length before   @throws ValueError unless max_norm > 0
double clip_grad_norm(const NamedTensors& parameters, double max_norm);

/// The same without a look at the result, which a captured graph (core/cuda.h) cannot take: the
/// length before goes to `norm`, a float64 scalar on the device of the gradients. An infinite
/// max_norm only measures.
void clip_grad_norm(const NamedTensors& parameters, double max_norm, const Tensor& norm);

}  // namespace cytograd::optim
