#include "cytograd/ops/batch_norm.h"

#include "cytograd/autograd/record.h"
#include "kernels/batch_norm.h"
#include "kernels/row_stride.h"
#include "ops/common.h"
#include "ops/traced_params.h"

namespace cytograd {
namespace {

void check_running(const Tensor& v, const char* name, bool training) {
  check<StateError>(training || v.defined(), "batch_norm", "evaluation expects ", name,
                    ", it is undefined");
  check<StateError>(!v.defined() || !v.requires_grad(), "batch_norm", name,
                    " is a statistic and cannot require a gradient");
}

void check_arguments(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const Tensor& running_mean, const Tensor& running_var,
                     const BatchNormOptions& options, const Tensor& residual) {
  check<ShapeError>(x.ndim() >= 2, "batch_norm", "input expects [..., C], got ", x.shape());
  check<DtypeError>(is_floating(x.dtype()), "batch_norm", "input expects a floating dtype, got ",
                    x.dtype());
  check_channels("batch_norm", x, weight, "weight");
  check_channels("batch_norm", x, bias, "bias");
  check_channels("batch_norm", x, running_mean, "running_mean");
  check_channels("batch_norm", x, running_var, "running_var");
  check_running(running_mean, "running_mean", options.training);
  check_running(running_var, "running_var", options.training);
  check<ValueError>(options.eps >= 0, "batch_norm", "eps must be >= 0, got ", options.eps);
  check<ValueError>(options.momentum >= 0 && options.momentum <= 1, "batch_norm",
                    "momentum must be in [0, 1], got ", options.momentum);
  check<ShapeError>(!options.training || x.shape().back() == 0 || x.numel() > x.shape().back(),
                    "batch_norm", "training expects more than one value per channel, got ",
                    x.shape());
  if (!residual.defined()) return;
  check<ValueError>(!options.recompute, "batch_norm", "recompute is not possible with a residual");
  check_device("batch_norm", x, residual, "residual");
  check<ShapeError>(residual.shape() == x.shape(), "batch_norm", "residual expects shape ",
                    x.shape(), ", got ", residual.shape());
  check<DtypeError>(residual.dtype() == x.dtype(), "batch_norm", "residual expects ", x.dtype(),
                    ", got ", residual.dtype());
}

// Runs the kernel on packed statistics and writes them back where the caller's are strided.
void batch_statistics(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                      const BatchNormOptions& options, const Tensor& mean, const Tensor& rstd) {
  const Tensor packed_mean = packed(running_mean), packed_var = packed(running_var);
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_statistics(ctx, x, packed_mean, packed_var, options.momentum, options.eps,
                                   mean, rstd);
  });
  const auto finish = [](const Tensor& running, const Tensor& updated) {
    if (!running.defined()) return;
    if (running.is_contiguous())
      running.storage()->bump_version();
    else
      running.copy_(updated);
  };
  finish(running_mean, packed_mean);
  finish(running_var, packed_var);
}

// x as the kernels take it: packed, or a channel slice of a packed tensor.
Tensor as_rows(const Tensor& x) {
  return !x.defined() || row_stride(x) >= 0 ? x : x.detach().contiguous();
}

// The places of the inputs: x, weight, bias, residual, those that there are.
struct Places {
  size_t weight = 1, bias, residual;
  explicit Places(const BatchNormCall& p)
      : bias(weight + (p.weight ? 1 : 0)), residual(bias + (p.bias ? 1 : 0)) {}
};

template <class P>
Grads backward(const autograd::Back<P>& back, const Tensor& given) {
  const BatchNormCall& p = back.params;
  const Places at(p);
  const auto vector_if = [&](bool there, size_t i) {
    return there && back.needs(i) ? Tensor::empty_like(back.saved[2]) : Tensor{};
  };
  // Memory that nobody else sees holds a result of the same shape.
  bool own = row_stride(given) < 0 || given.is_unshared();
  kernels::BatchNormBackward b{.x = back.saved[0],
                               .dy = as_rows(given),
                               .v = {back.saved[1], back.saved[4], back.saved[2], back.saved[3]},
                               .training = p.training,
                               .relu = p.relu,
                               .y = back.saved[5],
                               .masked = {},
                               .dx = {},
                               .accumulate = false,
                               .dweight = vector_if(p.weight, at.weight),
                               .dbias = vector_if(p.bias, at.bias)};
  const bool residual_wanted = p.residual && back.needs(at.residual);
  if (b.y.defined()) b.masked = own ? b.dy : Tensor::empty_like(b.dy);
  const Tensor passed = b.y.defined() ? b.masked : b.dy;  // what the residual gets
  own = (own || b.y.defined()) && !residual_wanted;
  if (back.needs(0)) {
    b.dx = back.take_sum(0);
    b.accumulate = b.dx.defined();
    if (!b.accumulate) b.dx = own ? passed : Tensor::empty_like(b.x);
  }
  on_device(b.x, [&](auto ctx) { kernels::batch_norm_backward(ctx, b); });
  Grads grads{b.dx};
  if (p.weight) grads.push_back(b.dweight);
  if (p.bias) grads.push_back(b.dbias);
  if (p.residual) grads.push_back(residual_wanted ? passed : Tensor{});
  return grads;
}

template <class P>
Tensor result_again(const autograd::Back<P>& back) {
  const Tensor& x = back.saved[0];
  const Tensor y = Tensor::empty_like(x);
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_apply(ctx, x, {back.saved[1], back.saved[4], back.saved[2], back.saved[3]},
                              {}, back.params.relu, y);
  });
  return y;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& residual) {
  check_arguments(x, weight, bias, running_mean, running_var, options, residual);
  const Tensor xr = as_rows(x);
  // Copies of the statistics are saved: the running ones change with the next training step.
  const Tensor mean = Tensor::empty({x.shape().back()}, x.dtype(), x.device()),
               rstd = Tensor::empty_like(mean), y = Tensor::empty_like(x);
  const kernels::BatchNormVectors v{packed(weight), packed(bias), mean, rstd};
  if (options.training)
    batch_statistics(xr, running_mean, running_var, options, mean, rstd);
  else
    on_device(x, [&](auto ctx) {
      kernels::batch_norm_running(ctx, packed(running_mean), packed(running_var), options.eps, mean,
                                  rstd);
    });
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_apply(ctx, xr, v, as_rows(residual), options.relu, y);
  });

  Tensors inputs{x};
  for (const Tensor& input : {weight, bias, residual})
    if (input.defined()) inputs.push_back(input);
  // The mask of the ReLU follows from x; with a residual, from y, which the next layer saves too.
  Saved saved{xr,
              v.weight,
              mean,
              rstd,
              options.relu || options.recompute ? v.bias : Tensor{},
              options.relu && residual.defined() ? y : Tensor{}};
  const BatchNormCall call{options.training, options.relu, weight.defined(), bias.defined(),
                           residual.defined()};
  const auto rule = [](const auto& back, const Tensor& dy) { return backward(back, dy); };
  if (!options.recompute) return record("batch_norm", inputs, y, std::move(saved), call, rule);
  return record_recomputed("batch_norm", inputs, y, std::move(saved), call, rule,
                           [](const auto& back) { return result_again(back); });
}

}  // namespace cytograd
