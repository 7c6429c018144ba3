#include "cytograd/ops/conv2d.h"

#include "cytograd/autograd/record.h"
#include "kernels/column_sum.h"
#include "kernels/context.h"
#include "kernels/conv2d.h"
#include "ops/common.h"
#include "ops/conv2d_parts.h"
#include "ops/conv_arguments.h"

namespace cytograd {

using kernels::Conv2dShape;

Conv2dShape conv2d_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         const Conv2dOptions& o) {
  constexpr const char* op = "conv2d";
  check_conv_arguments({op, "input [N, H, W, C_in] and weight [C_out, kH, kW, C_in/groups]",
                        o.stride, o.padding, o.dilation, o.groups},
                       x, weight);
  const int64_t c_in = x.size(3), c_out = weight.size(0);
  check<ShapeError>(c_in % o.groups == 0 && c_out % o.groups == 0, op, "groups ", o.groups,
                    " must divide the ", c_in, " input and ", c_out, " output channels");
  check<ShapeError>(weight.size(3) == c_in / o.groups, op, "weight expects ", c_in / o.groups,
                    " input channels for input ", x.shape(), ", got ", weight.shape(),
                    "; groups is ", o.groups);
  check_conv_bias(op, x, bias, c_out);
  Conv2dShape s{.n = x.size(0),
                .h = x.size(1),
                .w = x.size(2),
                .c_in = c_in,
                .c_out = c_out,
                .kh = weight.size(1),
                .kw = weight.size(2),
                .stride_h = o.stride.h,
                .stride_w = o.stride.w,
                .pad_h = o.padding.h,
                .pad_w = o.padding.w,
                .dilation_h = o.dilation.h,
                .dilation_w = o.dilation.w,
                .groups = o.groups};
  check<ShapeError>(s.h + 2 * s.pad_h > s.dilation_h * (s.kh - 1) &&
                        s.w + 2 * s.pad_w > s.dilation_w * (s.kw - 1),
                    op, "the filter ", weight.shape(), " with dilation ", o.dilation,
                    " is larger than the input ", x.shape(), " with padding ", o.padding);
  return s;
}

Tensor conv2d_by(const Conv2dForward& forward, const Tensor& given_x, const Tensor& given_weight,
                 const Tensor& given_bias, const Conv2dOptions& options) {
  const Tensor x = product_operand(given_x), weight = product_operand(given_weight),
               bias = product_operand(given_bias);
  const Conv2dShape shape = conv2d_shape(x, weight, bias, options);
  const Tensor xc = x.contiguous(), wc = weight.contiguous();
  Tensor y =
      Tensor::empty({shape.n, shape.out_h(), shape.out_w(), shape.c_out}, x.dtype(), x.device());
  forward(shape, xc, wc, packed(bias), y);
  return record("conv2d", {x, weight, bias}, y, Saved{xc, wc}, shape,
                [](const auto& back, const Tensor& grad) -> Grads {
                  const Conv2dShape& s = back.params;
                  const auto &x = back.saved[0], &weight = back.saved[1];
                  const Tensor dy = grad.contiguous();
                  Grads grads(3);
                  // What x has from other uses is added to where it lies: that is no pass of its
                  // own.
                  const bool add = back.sums[0].defined() && back.sums[0].is_contiguous();
                  if (add) grads[0] = back.take_sum(0);
                  for (const size_t i : {0, 1, 2})
                    if (back.needs(i) && !grads[i].defined())
                      grads[i] = Tensor::empty(back.input_shape(i), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    if (back.needs(0))
                      kernels::conv2d_backward_data(ctx, s, dy, weight, grads[0], add);
                    if (back.needs(1)) kernels::conv2d_backward_weight(ctx, s, x, dy, grads[1]);
                    if (back.needs(2)) kernels::column_sum(ctx, dy, grads[2]);
                  });
                  return grads;
                });
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& options) {
  const auto forward = [](const Conv2dShape& shape, const Tensor& image, const Tensor& filters,
                          const Tensor& b, const Tensor& y) {
    on_device(y, [&](auto ctx) { kernels::conv2d_forward(ctx, shape, image, filters, b, y); });
  };
  return conv2d_by(forward, x, weight, bias, options);
}

}  // namespace cytograd
