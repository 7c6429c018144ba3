#include "cytograd/ops/pairwise_distance.h"

#include "cytograd/autograd/record.h"
#include "kernels/pairwise_distance.h"
#include "ops/common.h"

namespace cytograd {

Tensor pairwise_distance(const Tensor& x, const Tensor& y) {
  constexpr const char* op = "pairwise_distance";
  check<ShapeError>(x.ndim() == 2 && y.ndim() == 2 && x.size(1) == y.size(1), op,
                    "expects [N, D] and [M, D], got ", x.shape(), " and ", y.shape());
  check<DtypeError>(x.dtype() == y.dtype(), op, "expects one dtype, got ", x.dtype(), " and ",
                    y.dtype());
  check_device(op, x, y, "the second operand");
  const Tensor xc = x.contiguous(), yc = y.contiguous();
  Tensor d = Tensor::empty({x.size(0), y.size(0)}, x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::pairwise_distance(ctx, xc, yc, d); });
  return record(op, {x, y}, d, Saved{xc, yc, d},
                [](const auto& back, const Tensor& grad_output) -> Grads {
                  const auto &x = back.saved[0], &y = back.saved[1], &d = back.saved[2];
                  const Tensor dd = grad_output.contiguous();
                  Grads grads(2);
                  on_device(dd, [&](auto ctx) {
                    if (back.needs(0)) {
                      grads[0] = Tensor::empty_like(x);
                      kernels::pairwise_distance_backward(ctx, x, y, d, dd, false, grads[0]);
                    }
                    if (back.needs(1)) {
                      grads[1] = Tensor::empty_like(y);
                      kernels::pairwise_distance_backward(ctx, y, x, d, dd, true, grads[1]);
                    }
                  });
                  return grads;
                });
}

}  // namespace cytograd
