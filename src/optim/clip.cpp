#include "cytograd/optim/clip.h"

#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {

double grad_norm(const NamedTensors& parameters) {
  const NoGrad no_grad;
  double squares = 0;
  for (const auto& [name, parameter] : parameters)
    if (const Tensor grad = parameter.grad(); grad.defined())
      squares += on_device(
          grad, [&](auto ctx) { return kernels::sum_of_squares(ctx, grad.contiguous()); });
  return std::sqrt(squares);
}

double clip_grad_norm(const NamedTensors& parameters, double max_norm) {
  check<ValueError>(max_norm > 0, "clip_grad_norm", "max_norm expects > 0, got ", max_norm);
  const NoGrad no_grad;
  const double norm = grad_norm(parameters);
  const double factor = max_norm / (norm + 1e-6);
  if (!std::isfinite(norm) || factor >= 1) return norm;
  for (const auto& [name, parameter] : parameters) {
    Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    grad = grad.contiguous();
    on_device(grad, [&](auto ctx) { kernels::scale(ctx, grad, factor); });
    grad.storage()->bump_version();
    parameter.set_grad(grad);
  }
  return norm;
}

}  // namespace cytograd::optim
