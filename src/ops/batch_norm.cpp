#include "cytograd/ops/batch_norm.h"

#include "cytograd/autograd/record.h"
#include "kernels/batch_norm.h"
#include "kernels/row_stride.h"
#include "ops/batch_norm_parts.h"
#include "ops/common.h"
#include "ops/traced_params.h"

namespace cytograd {

Tensor as_rows(const Tensor& x) {
  return !x.defined() || row_stride(x) >= 0 ? x : x.detach().contiguous();
}

namespace {

void check_running(const Tensor& v, const char* name, bool training) {
  check<StateError>(training || v.defined(), "batch_norm", "evaluation expects ", name,
                    ", it is undefined");
  check<StateError>(!v.defined() || !v.requires_grad(), "batch_norm", name,
                    " is a statistic and cannot require a gradient");
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

void check_batch_norm(const Tensor& x, const BatchNormLayer& norm, const Tensor& residual) {
  const BatchNormOptions& options = norm.options;
  check<ShapeError>(x.ndim() >= 2, "batch_norm", "input expects [..., C], got ", x.shape());
  check<DtypeError>(is_floating(x.dtype()), "batch_norm", "input expects a floating dtype, got ",
                    x.dtype());
  check_channels("batch_norm", x, norm.weight, "weight");
  check_channels("batch_norm", x, norm.bias, "bias");
  check_channels("batch_norm", x, norm.running_mean, "running_mean");
  check_channels("batch_norm", x, norm.running_var, "running_var");
  for (const Tensor& v : {norm.moments.mean, norm.moments.variance}) {
    if (!v.defined()) continue;
    check<ShapeError>(v.shape() == Shape{x.shape().back()}, "batch_norm", "moments expect ",
                      Shape{x.shape().back()}, ", got ", v.shape());
    check<DtypeError>(v.dtype() == Dtype::float64, "batch_norm", "moments expect float64, got ",
                      v.dtype());
    check_device("batch_norm", x, v, "moments");
  }
  check_running(norm.running_mean, "running_mean", options.training);
  check_running(norm.running_var, "running_var", options.training);
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

kernels::BatchStatistics statistics_for(const Tensor& x, const BatchNormLayer& norm) {
  const Tensor mean = Tensor::empty({x.shape().back()}, vector_dtype(x), x.device());
  return {.mean = mean,
          .rstd = Tensor::empty_like(mean),
          .running_mean = packed(norm.running_mean),
          .running_var = packed(norm.running_var),
          .momentum = norm.options.momentum,
          .eps = norm.options.eps};
}

void write_running(const BatchNormLayer& norm, const kernels::BatchStatistics& statistics) {
  const auto finish = [](const Tensor& running, const Tensor& updated) {
    if (!running.defined()) return;
    if (running.is_contiguous())
      running.storage()->bump_version();
    else
      running.copy_(updated);
  };
  finish(norm.running_mean, statistics.running_mean);
  finish(norm.running_var, statistics.running_var);
}

kernels::BatchStatistics batch_statistics(const Tensor& x, const BatchNormLayer& norm) {
  const kernels::BatchStatistics s = statistics_for(x, norm);
  const ChannelMoments& known = norm.moments;
  on_device(x, [&](auto ctx) {
    if (known.mean.defined() && x.numel() > 0)
      kernels::batch_norm_from_moments(ctx, x.numel() / s.mean.numel(), packed(known.mean),
                                       packed(known.variance), s);
    else
      kernels::batch_norm_statistics(ctx, x, s);
  });
  write_running(norm, s);
  return s;
}

Tensor normalized(const Tensor& x, const BatchNormLayer& norm, const Tensor& mean,
                  const Tensor& rstd, const Tensor& residual) {
  const BatchNormOptions& options = norm.options;
  const Tensor xr = as_rows(x), y = Tensor::empty_like(x);
  const kernels::BatchNormVectors v{packed(norm.weight), packed(norm.bias), mean, rstd};
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_apply(ctx, xr, v, as_rows(residual), options.relu, y);
  });
  Tensors inputs{x};
  for (const Tensor& input : {norm.weight, norm.bias, residual})
    if (input.defined()) inputs.push_back(input);
  // The mask of the ReLU follows from x; with a residual, from y, which the next layer saves too.
  Saved saved{xr,
              v.weight,
              mean,
              rstd,
              options.relu || options.recompute ? v.bias : Tensor{},
              options.relu && residual.defined() ? y : Tensor{}};
  const BatchNormCall call{options.training, options.relu, norm.weight.defined(),
                           norm.bias.defined(), residual.defined()};
  const auto rule = [](const auto& back, const Tensor& dy) { return backward(back, dy); };
  if (!options.recompute) return record("batch_norm", inputs, y, std::move(saved), call, rule);
  return record_recomputed("batch_norm", inputs, y, std::move(saved), call, rule,
                           [](const auto& back) { return result_again(back); });
}

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& residual) {
  const BatchNormLayer norm{weight, bias, running_mean, running_var, options};
  check_batch_norm(x, norm, residual);
  if (options.training) {
    const kernels::BatchStatistics s = batch_statistics(as_rows(x), norm);
    return normalized(x, norm, s.mean, s.rstd, residual);
  }
  const kernels::BatchStatistics s = statistics_for(x, norm);
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_running(ctx, s.running_mean, s.running_var, options.eps, s.mean, s.rstd);
  });
  return normalized(x, norm, s.mean, s.rstd, residual);
}

ChannelMoments channel_moments(const Tensor& x) {
  constexpr const char* op = "channel_moments";
  check<ShapeError>(x.ndim() >= 1, op, "expects [..., C], got a scalar");
  check_computable(op, x);
  const Tensor mean = Tensor::empty({x.shape().back()}, Dtype::float64, x.device());
  const ChannelMoments out{mean, Tensor::empty_like(mean)};
  on_device(x,
            [&](auto ctx) { kernels::channel_moments(ctx, as_rows(x), out.mean, out.variance); });
  return out;
}

}  // namespace cytograd
