#include "cytograd/optim/clip.h"

#include <limits>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {

namespace {

// Writes the length to `norm`, or to a new scalar if that is undefined. @return it, undefined
// without gradients
Tensor clip(const NamedTensors& parameters, double max_norm, bool changes, Tensor norm = {}) {
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
  if (grads.empty()) return {};
  if (!norm.defined()) norm = Tensor::empty({}, Dtype::float64, grads[0].device());
  on_device(norm, [&](auto ctx) { kernels::clip_by_norm(ctx, grads, max_norm, norm); });
  if (changes)
    for (const Tensor& grad : grads) grad.storage()->bump_version();
  return norm;
}

double value(const Tensor& norm) { return norm.defined() ? norm.item() : 0; }

}  // namespace

double grad_norm(const NamedTensors& parameters) {
  return value(clip(parameters, std::numeric_limits<double>::infinity(), false));
}

double clip_grad_norm(const NamedTensors& parameters, double max_norm) {
  check<ValueError>(max_norm > 0, "clip_grad_norm", "max_norm expects > 0, got ", max_norm);
  return value(clip(parameters, max_norm, true));
}

void clip_grad_norm(const NamedTensors& parameters, double max_norm, const Tensor& norm) {
  constexpr const char* op = "clip_grad_norm";
  check<ValueError>(max_norm > 0, op, "max_norm expects > 0, got ", max_norm);
  check<ShapeError>(norm.numel() == 1, op, "norm expects one element, got ", norm.shape());
  check<DtypeError>(norm.dtype() == Dtype::float64, op, "norm expects float64, got ", norm.dtype());
  const bool changes = max_norm < std::numeric_limits<double>::infinity();
  if (!clip(parameters, max_norm, changes, norm).defined()) norm.fill_(0);
}

}  // namespace cytograd::optim
