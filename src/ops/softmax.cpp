#include "cytograd/ops/softmax.h"

#include "cytograd/autograd/record.h"
#include "cytograd/ops/shape.h"
#include "kernels/softmax.h"
#include "ops/common.h"

namespace cytograd {
namespace {

Tensor softmax_rows(const char* op, const Tensor& x, bool logarithm) {
  const Tensor xc = packed(x);
  Tensor y = Tensor::empty_like(xc);
  on_device(xc, [&](auto ctx) { kernels::softmax(ctx, xc, xc.shape().back(), logarithm, y); });
  return record(op, {x}, y, {y}, logarithm, [](const auto& back, const Tensor& dy) -> Grads {
    const Tensor &y = back.saved[0], g = packed(dy);
    Tensor dx = Tensor::empty_like(y);
    on_device(y, [&](auto ctx) {
      kernels::softmax_backward(ctx, y, g, y.shape().back(), back.params, dx);
    });
    return {dx};
  });
}

Tensor along(const char* op, const Tensor& given, int dim, bool logarithm) {
  const Tensor x = widened(given);
  check<DtypeError>(x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64, op,
                    "expects float32 or float64, got ", x.dtype());
  dim = normalize_dim(dim, x.ndim(), op);
  if (dim == x.ndim() - 1) return softmax_rows(op, x, logarithm);
  return transpose(softmax_rows(op, transpose(x, dim, -1), logarithm), dim, -1).contiguous();
}

}  // namespace

Tensor softmax(const Tensor& x, int dim) { return along("softmax", x, dim, false); }
Tensor log_softmax(const Tensor& x, int dim) { return along("log_softmax", x, dim, true); }

}  // namespace cytograd
