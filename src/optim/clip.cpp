#include "cytograd/optim/clip.h"

#include <limits>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {

namespace {

double clip(const NamedTensors& parameters, double max_norm, bool changes) {
  const NoGrad no_grad;
  Tensors grads;
  for (const auto& [name, parameter] : parameters) {
    const Tensor grad = parameter.grad();
    if (!grad.defined()) continue;
    grads.push_back(grad.contiguous());
    check<DeviceError>(grad.device() == grads[0].device(), "clip_grad_norm",
                       "the gradients expect one device, got ", grads[0].device(), " and ",
                       grad.device());
    if (changes && !grad.is_contiguous()) parameter.set_grad(grads.back());
  }
  if (grads.empty()) return 0;
  const Tensor norm = Tensor::empty({}, Dtype::float64, grads[0].device());
  on_device(norm, [&](auto ctx) { kernels::clip_by_norm(ctx, grads, max_norm, norm); });
  if (changes)
    for (const Tensor& grad : grads) grad.storage()->bump_version();
  return norm.item();
}

}  // namespace

double grad_norm(const NamedTensors& parameters) {
  return clip(parameters, std::numeric_limits<double>::infinity(), false);
}

double clip_grad_norm(const NamedTensors& parameters, double max_norm) {
  check<ValueError>(max_norm > 0, "clip_grad_norm", "max_norm expects > 0, got ", max_norm);
  return clip(parameters, max_norm, true);
}

}  // namespace cytograd::optim
