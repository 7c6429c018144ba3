#include "cytograd/ops/linear.h"

#include "cytograd/autograd/record.h"
#include "cytograd/ops/shape.h"
#include "kernels/matmul.h"
#include "ops/common.h"

namespace cytograd {
namespace {

void validate(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check<ShapeError>(weight.ndim() == 2, "linear", "weight expects [out, in], got ", weight.shape());
  check<ShapeError>(x.ndim() >= 1 && x.size(-1) == weight.size(1), "linear", "input expects [..., ",
                    weight.size(1), "] for weight ", weight.shape(), ", got ", x.shape());
  check_computable("linear", x);
  check<DtypeError>(weight.dtype() == x.dtype(), "linear", "weight expects ", x.dtype(), ", got ",
                    weight.dtype());
  check_device("linear", x, weight, "weight");
  check_device("linear", x, bias, "bias");
  if (!bias.defined()) return;
  check<ShapeError>(bias.shape() == Shape{weight.size(0)}, "linear", "bias expects ",
                    Shape{weight.size(0)}, " for weight ", weight.shape(), ", got ", bias.shape());
  check<DtypeError>(bias.dtype() == x.dtype(), "linear", "bias expects ", x.dtype(), ", got ",
                    bias.dtype());
}

// All axes in front of the last as rows.
Tensor as_rows(const Tensor& x) {
  const Tensor whole = packed(x);
  Shape shape{1, x.size(-1)};
  for (int d = 0; d + 1 < x.ndim(); ++d) shape[0] *= x.shape()[d];
  return whole.as_strided(shape, contiguous_strides(shape), whole.offset());
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias, const Shape& shape) {
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  const Shape matrix{a.size(0), b.size(1)};
  const Tensor rows = y.as_strided(matrix, contiguous_strides(matrix), 0);
  on_device(a, [&](auto ctx) { kernels::matmul(ctx, a, b, bias, rows); });
  return y;
}

}  // namespace

Tensor linear(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias) {
  const Tensor x = product_operand(given_x), weight = product_operand(given_weight),
               bias = product_operand(given_bias);
  validate(x, weight, bias);
  Shape shape = x.shape();
  shape[x.ndim() - 1] = weight.size(0);
  const Tensor rows = as_rows(x), packed_bias = bias.defined() ? packed(bias) : Tensor{};
  const Tensor y = product(rows, transpose(weight.detach(), 0, 1), packed_bias, shape);
  return record("linear", {x, weight, bias}, y, {rows, weight},
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor g = as_rows(dy);
                  Tensor dx, dw, db;
                  if (back.needs(0)) dx = product(g, back.saved[1], {}, back.input_shape(0));
                  if (back.needs(1))
                    dw = product(transpose(g, 0, 1), back.saved[0], {}, back.input_shape(1));
                  if (back.needs(2)) db = sum_to(g, back.input_shape(2));
                  return {dx, dw, db};
                });
}

}  // namespace cytograd
