#include "cytograd/ops/pairwise_distance.h"

#include "kernels/pairwise_distance.h"
#include "ops/row_pairs.h"

namespace cytograd {

Tensor pairwise_distance(const Tensor& given_x, const Tensor& given_y) {
  constexpr const char* op = "pairwise_distance";
  const bool one = one_set(given_x, given_y);
  const Tensor x = widened(given_x), y = one ? x : widened(given_y);
  check_row_pairs(op, x, y);
  const Tensor xc = x.contiguous(), yc = one ? xc : y.contiguous();
  Tensor d = Tensor::empty({x.size(0), y.size(0)}, x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::pairwise_distance(ctx, xc, yc, d); });
  return record(op, one ? Tensors{x} : Tensors{x, y}, d, Saved{xc, yc, d}, one,
                [](const auto& back, const Tensor& grad_output) -> Grads {
                  const auto &x = back.saved[0], &y = back.saved[1], &d = back.saved[2];
                  const Tensor dd = back.params ? both_ways(grad_output) : grad_output.contiguous();
                  Grads grads(back.params ? 1 : 2);
                  on_device(dd, [&](auto ctx) {
                    if (back.needs(0)) {
                      grads[0] = Tensor::empty_like(x);
                      kernels::pairwise_distance_backward(ctx, x, y, d, dd, false, grads[0]);
                    }
                    if (!back.params && back.needs(1)) {
                      grads[1] = Tensor::empty_like(y);
                      kernels::pairwise_distance_backward(ctx, y, x, d, dd, true, grads[1]);
                    }
                  });
                  return grads;
                });
}

}  // namespace cytograd
