#include "cytograd/ops/batch_norm.h"

#include "cytograd/autograd/record.h"
#include "kernels/batch_norm.h"
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
                     const BatchNormOptions& options) {
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
}

Tensor like_if(bool wanted, const Tensor& t) { return wanted ? Tensor::empty_like(t) : Tensor{}; }

// Runs the kernel on packed statistics and writes them back where the caller's are strided.
void run_training(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& y, const Tensor& mean,
                  const Tensor& rstd) {
  const Tensor packed_mean = packed(running_mean), packed_var = packed(running_var);
  on_device(x, [&](auto ctx) {
    kernels::batch_norm_training(ctx, x, weight, bias, packed_mean, packed_var, options.momentum,
                                 options.eps, y, mean, rstd);
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

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options) {
  check_arguments(x, weight, bias, running_mean, running_var, options);
  const Tensor xp = packed(x), wp = packed(weight), bp = packed(bias);
  const Shape vector{x.shape().back()};
  const Tensor y = Tensor::empty_like(x);
  // Copies of the statistics are saved: the running ones change with the next training step.
  const Tensor mean = Tensor::empty(vector, x.dtype(), x.device()), rstd = Tensor::empty_like(mean);
  if (options.training)
    run_training(xp, wp, bp, running_mean, running_var, options, y, mean, rstd);
  else
    on_device(x, [&](auto ctx) {
      kernels::batch_norm_evaluation(ctx, xp, wp, bp, packed(running_mean), packed(running_var),
                                     options.eps, y, mean, rstd);
    });

  Tensors inputs{x};
  if (weight.defined()) inputs.push_back(weight);
  if (bias.defined()) inputs.push_back(bias);
  return record(
      "batch_norm", inputs, y, Saved{xp, wp, mean, rstd},
      BatchNormCall{options.training, weight.defined(), bias.defined()},
      [](const auto& back, const Tensor& dy) -> Grads {
        const Tensor &x = back.saved[0], &weight = back.saved[1], &mean = back.saved[2];
        const bool dweight_wanted = back.params.weight && back.needs(1);
        const bool dbias_wanted = back.params.bias && back.needs(back.params.weight ? 2 : 1);
        const Tensor dx = like_if(back.needs(0), x), dweight = like_if(dweight_wanted, mean),
                     dbias = like_if(dbias_wanted, mean);
        on_device(dy, [&](auto ctx) {
          kernels::batch_norm_backward(ctx, x, weight, mean, back.saved[3], dy.contiguous(),
                                       back.params.training, dx, dweight, dbias);
        });
        Grads grads{dx};
        if (back.params.weight) grads.push_back(dweight);
        if (back.params.bias) grads.push_back(dbias);
        return grads;
      });
}

}  // namespace cytograd
