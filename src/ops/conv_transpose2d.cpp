#include "cytograd/ops/conv_transpose2d.h"

#include "cytograd/autograd/record.h"
#include "kernels/binary.h"
#include "kernels/column_sum.h"
#include "kernels/context.h"
#include "kernels/conv2d.h"
#include "ops/common.h"
#include "ops/conv_arguments.h"

namespace cytograd {
namespace {

using kernels::Conv2dShape;

// The convolution whose data gradient this operation is: its input is our result.
Conv2dShape checked_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const ConvTranspose2dOptions& o) {
  constexpr const char* op = "conv_transpose2d";
  check_conv_arguments({op, "input [N, H, W, C_in] and weight [C_in, kH, kW, C_out/groups]",
                        o.stride, o.padding, o.dilation, o.groups},
                       x, weight);
  check<ValueError>(o.output_padding.h >= 0 && o.output_padding.w >= 0 &&
                        o.output_padding.h < o.stride.h && o.output_padding.w < o.stride.w,
                    op, "output_padding must be in 0..stride-1, got ", o.output_padding,
                    " for stride ", o.stride);
  const int64_t c_in = x.size(3), c_out = weight.size(3) * o.groups;
  check<ShapeError>(weight.size(0) == c_in, op, "weight expects ", c_in,
                    " input channels for input ", x.shape(), ", got ", weight.shape());
  check<ShapeError>(c_in % o.groups == 0, op, "groups ", o.groups, " must divide the ", c_in,
                    " input channels");
  check<ShapeError>(x.size(1) >= 1 && x.size(2) >= 1, op, "the image is empty: ", x.shape());
  check_conv_bias(op, x, bias, c_out);
  const auto result = [](int64_t size, int64_t stride, int64_t pad, int64_t dilation, int64_t k,
                         int64_t extra) {
    return (size - 1) * stride - 2 * pad + dilation * (k - 1) + extra + 1;
  };
  Conv2dShape s{.n = x.size(0),
                .h = result(x.size(1), o.stride.h, o.padding.h, o.dilation.h, weight.size(1),
                            o.output_padding.h),
                .w = result(x.size(2), o.stride.w, o.padding.w, o.dilation.w, weight.size(2),
                            o.output_padding.w),
                .c_in = c_out,
                .c_out = c_in,
                .kh = weight.size(1),
                .kw = weight.size(2),
                .stride_h = o.stride.h,
                .stride_w = o.stride.w,
                .pad_h = o.padding.h,
                .pad_w = o.padding.w,
                .dilation_h = o.dilation.h,
                .dilation_w = o.dilation.w,
                .groups = o.groups};
  check<ShapeError>(s.h >= 1 && s.w >= 1, op, "padding ", o.padding,
                    " leaves nothing of the result for input ", x.shape());
  return s;
}

}  // namespace

Tensor conv_transpose2d(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
                        const ConvTranspose2dOptions& options) {
  constexpr const char* op = "conv_transpose2d";
  const Tensor x = product_operand(given_x), weight = product_operand(given_weight),
               bias = product_operand(given_bias);
  const Conv2dShape shape = checked_shape(x, weight, bias, options);
  const Tensor xc = x.contiguous(), wc = weight.contiguous();
  Tensor y = Tensor::empty({shape.n, shape.h, shape.w, shape.c_in}, x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::conv2d_backward_data(ctx, shape, xc, wc, y); });
  if (bias.defined())
    on_device(x, [&](auto ctx) {
      const int add = kernels::BinaryFunctions::index<kernels::Add>();
      kernels::binary(ctx, add, y, broadcast_view(bias, y.shape()), y);
    });
  return record(op, {x, weight, bias}, y, Saved{xc, wc}, shape,
                [](const auto& back, const Tensor& grad) -> Grads {
                  const Conv2dShape& s = back.params;
                  const auto &x = back.saved[0], &weight = back.saved[1];
                  const Tensor dy = grad.contiguous();
                  Grads grads(3);
                  for (const size_t i : {0, 1, 2})
                    if (back.needs(i))
                      grads[i] = Tensor::empty(back.input_shape(i), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    if (back.needs(0)) kernels::conv2d_forward(ctx, s, dy, weight, {}, grads[0]);
                    if (back.needs(1)) kernels::conv2d_backward_weight(ctx, s, dy, x, grads[1]);
                    if (back.needs(2)) kernels::column_sum(ctx, dy, grads[2]);
                  });
                  return grads;
                });
}

}  // namespace cytograd
