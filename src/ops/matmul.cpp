#include "cytograd/ops/matmul.h"

#include "cytograd/autograd/record.h"
#include "cytograd/ops/shape.h"
#include "kernels/matmul.h"
#include "ops/common.h"

namespace cytograd {
namespace {

Shape with_batch(const Shape& batch, int64_t rows, int64_t columns) {
  Shape out = batch;
  out.push_back(rows);
  out.push_back(columns);
  return out;
}

Shape batch_of(const Shape& shape) {
  return Shape(std::span(shape.begin(), static_cast<size_t>(shape.ndim() - 2)));
}

// Not recorded.
Tensor product(const Tensor& a, const Tensor& b, const Shape& batch) {
  Tensor y = Tensor::empty(with_batch(batch, a.size(-2), b.size(-1)), a.dtype(), a.device());
  const Tensor va = broadcast_view(a, with_batch(batch, a.size(-2), a.size(-1)));
  const Tensor vb = broadcast_view(b, with_batch(batch, b.size(-2), b.size(-1)));
  on_device(a, [&](auto ctx) { kernels::matmul(ctx, va, vb, Tensor{}, y); });
  return y;
}

void validate(const Tensor& a, const Tensor& b) {
  check<ShapeError>(a.ndim() >= 2 && b.ndim() >= 2, "matmul", "expects two axes or more, got ",
                    a.shape(), " and ", b.shape());
  check<ShapeError>(a.size(-1) == b.size(-2), "matmul", "the inner sizes of ", a.shape(), " and ",
                    b.shape(), " differ");
  check_device("matmul", a, b, "the second operand");
  check<DtypeError>(a.dtype() == b.dtype(), "matmul", "both operands expect one dtype, got ",
                    a.dtype(), " and ", b.dtype());
  check_computable("matmul", a);
}

}  // namespace

Tensor matmul(const Tensor& given_a, const Tensor& given_b) {
  const Tensor a = product_operand(given_a), b = product_operand(given_b);
  validate(a, b);
  if (b.ndim() == 2 && a.ndim() > 2 && a.is_contiguous() && a.numel() > 0) {
    // One matrix on the right: the axes in front of `a` are more rows.
    return reshape(matmul(reshape(a, {-1, a.size(-1)}), b),
                   with_batch(batch_of(a.shape()), a.size(-2), b.size(-1)));
  }
  const Shape batch = broadcast_shapes(batch_of(a.shape()), batch_of(b.shape()), "matmul");
  return record("matmul", {a, b}, product(a, b, batch), {a, b}, batch,
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor &a = back.saved[0], &b = back.saved[1];
                  Tensor da, db;
                  if (back.needs(0))
                    da = sum_to(product(dy, transpose(b, -1, -2), back.params), a.shape());
                  if (back.needs(1))
                    db = sum_to(product(transpose(a, -1, -2), dy, back.params), b.shape());
                  return {da, db};
                });
}

}  // namespace cytograd
