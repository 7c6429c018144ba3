#include "cytograd/ops/group_norm.h"

#include "cytograd/autograd/record.h"
#include "kernels/group_norm.h"
#include "ops/common.h"

namespace cytograd {
namespace {

void check_arguments(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                     double eps) {
  check<ShapeError>(x.ndim() >= 2, "group_norm", "input expects [N, ..., C], got ", x.shape());
  check<DtypeError>(is_floating(x.dtype()), "group_norm", "input expects a floating dtype, got ",
                    x.dtype());
  const int64_t channels = x.shape().back();
  check<ValueError>(groups >= 1 && channels % groups == 0, "group_norm", "groups must divide the ",
                    channels, " channels, got ", groups);
  check<ValueError>(eps >= 0, "group_norm", "eps must be >= 0, got ", eps);
  check<ShapeError>(x.numel() > 0 || x.size(0) == 0, "group_norm",
                    "input expects at least one value per group, got ", x.shape());
  check_channels("group_norm", x, weight, "weight");
  check_channels("group_norm", x, bias, "bias");
}

}  // namespace

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  check_arguments(x, groups, weight, bias, eps);
  const Tensor xp = packed(x), wp = packed(weight), bp = packed(bias), y = Tensor::empty_like(x);
  const Tensor mean = Tensor::empty({x.size(0), groups}, vector_dtype(x), x.device()),
               rstd = Tensor::empty_like(mean);
  on_device(x, [&](auto ctx) { kernels::group_norm(ctx, xp, wp, bp, eps, y, mean, rstd); });

  Tensors inputs{x};
  if (weight.defined()) inputs.push_back(weight);
  if (bias.defined()) inputs.push_back(bias);
  struct Params {
    bool weight, bias;
  };
  return record(
      "group_norm", inputs, y, Saved{xp, wp, mean, rstd}, Params{weight.defined(), bias.defined()},
      [](const auto& back, const Tensor& dy) -> Grads {
        const Tensor& x = back.saved[0];
        const auto vector_if = [&](bool wanted) {
          return wanted ? Tensor::empty({x.size(-1)}, vector_dtype(x), x.device()) : Tensor{};
        };
        const auto [has_weight, has_bias] = back.params;
        const Tensor dx = back.needs(0) ? Tensor::empty_like(x) : Tensor{};
        const Tensor dweight = vector_if(has_weight && back.needs(1));
        const Tensor dbias = vector_if(has_bias && back.needs(has_weight ? 2 : 1));
        on_device(dy, [&](auto ctx) {
          kernels::group_norm_backward(ctx, x, back.saved[1], back.saved[2], back.saved[3],
                                       dy.contiguous(), dx, dweight, dbias);
        });
        Grads grads{dx};
        if (has_weight) grads.push_back(dweight);
        if (has_bias) grads.push_back(dbias);
        return grads;
      });
}

}  // namespace cytograd
