#include "cytograd/ops/batch_norm_conv2d.h"

#include "cytograd/autograd/record.h"
#include "kernels/batch_norm_conv2d.h"
#include "ops/batch_norm_parts.h"
#include "ops/common.h"
#include "ops/conv2d_parts.h"

namespace cytograd {
namespace {

using kernels::NormConv2d;

bool is_pointwise(const Conv2dLayer& conv) {
  const Conv2dOptions& o = conv.options;
  return conv.weight.ndim() == 4 && conv.weight.size(1) == 1 && conv.weight.size(2) == 1 &&
         o.stride == Pair(1) && o.padding == Pair(0) && o.groups == 1 && !conv.bias.defined();
}

// Inputs are x, the norm's weight and bias, the filters.
Grads backward(const autograd::Back<kernels::Conv2dShape>& back, const Tensor& given) {
  const NormConv2d p{
      .shape = back.params,
      .x = back.saved[0],
      .norm = {back.saved[1], back.saved[2], back.saved[3], back.saved[4]},
      .weight = back.saved[5],
      .z = back.saved[6],
  };
  const Tensor dy = given.contiguous();
  Grads grads(4);
  for (const size_t i : {1, 2})
    if (back.needs(i)) grads[i] = Tensor::empty_like(p.norm.mean);
  if (back.needs(3)) grads[3] = Tensor::empty_like(p.weight);
  on_device(dy, [&](auto ctx) {
    if (back.needs(3)) kernels::norm_conv2d_backward_weight(ctx, p, dy, grads[3]);
  });
  if (!back.needs(0) && !back.needs(1) && !back.needs(2)) return grads;
  const Tensor dz = Tensor::empty(p.x.shape(), dy.dtype(), dy.device());
  bool accumulate = false;
  if (back.needs(0)) {
    grads[0] = back.take_sum(0);
    accumulate = grads[0].defined();
    if (!accumulate) grads[0] = dz;
  }
  on_device(dy, [&](auto ctx) {
    kernels::conv2d_backward_data(ctx, p.shape, dy, p.weight, dz);
    kernels::batch_norm_backward(ctx, {.x = p.x,
                                       .dy = dz,
                                       .v = p.norm,
                                       .training = true,
                                       .relu = true,
                                       .y = {},
                                       .masked = {},
                                       .dx = grads[0],
                                       .accumulate = accumulate,
                                       .dweight = grads[1],
                                       .dbias = grads[2]});
  });
  return grads;
}

}  // namespace

Tensor batch_norm_conv2d(const Tensor& given_x, const BatchNormLayer& before,
                         const Conv2dLayer& conv, const BatchNormLayer& after) {
  const bool joined = before.options.training && before.options.relu && after.options.training;
  if (!joined || !is_pointwise(conv))
    return conv2d_batch_norm(batch_norm(given_x, before.weight, before.bias, before.running_mean,
                                        before.running_var, before.options),
                             conv, after);
  const Tensor x = product_operand(given_x), weight = product_operand(conv.weight);
  NormConv2d p{.shape = conv2d_shape(x, weight, {}, conv.options),
               .x = as_rows(x),
               .norm = {},
               .weight = packed(weight),
               .z = {}};
  check_batch_norm(x, before, {});
  const Tensor y =
      Tensor::empty({p.shape.n, p.shape.h, p.shape.w, p.shape.c_out}, x.dtype(), x.device());
  check_batch_norm(y, after, {});
  const kernels::BatchStatistics of_x = batch_statistics(p.x, before),
                                 of_y = statistics_for(y, after);
  p.norm = {packed(before.weight), packed(before.bias), of_x.mean, of_x.rstd};
  Tensor z;
  on_device(x, [&](auto ctx) { z = kernels::norm_conv2d_forward(ctx, p, y, of_y); });
  write_running(after, of_y);
  const Tensor result =
      record("batch_norm_conv2d", {x, before.weight, before.bias, weight}, y,
             Saved{p.x, p.norm.weight, p.norm.bias, p.norm.mean, p.norm.rstd, p.weight,
                   before.options.recompute ? Tensor{} : z},
             p.shape, [](const auto& back, const Tensor& dy) { return backward(back, dy); });
  return normalized(result, after, of_y.mean, of_y.rstd, {});
}

}  // namespace cytograd
