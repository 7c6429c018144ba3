#include "cytograd/ops/squared_error.h"

#include "cytograd/autograd/record.h"
#include "kernels/squared_error.h"
#include "ops/common.h"

namespace cytograd {
namespace {

constexpr const char* op = "squared_error";

void validate(const Tensor& x, const Tensor& y, const Tensor& weight) {
  check<ShapeError>(x.shape() == y.shape(), op, "target expects the shape of the prediction, ",
                    x.shape(), ", got ", y.shape());
  check<DtypeError>(x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64, op,
                    "expects float32 or float64, got ", x.dtype());
  check<DtypeError>(y.dtype() == x.dtype(), op, "target expects ", x.dtype(), ", got ", y.dtype());
  check_device(op, x, y, "target");
  check_device(op, x, weight, "weight");
  if (!weight.defined()) return;
  check<ShapeError>(x.ndim() >= 1, op, "a weight expects values with axes");
  Shape expected = x.shape();
  expected[expected.ndim() - 1] = 1;
  check<ShapeError>(weight.shape() == expected, op, "weight expects ", expected, " for values ",
                    x.shape(), ", got ", weight.shape());
  check<DtypeError>(weight.dtype() == x.dtype(), op, "weight expects ", x.dtype(), ", got ",
                    weight.dtype());
  check<StateError>(!weight.requires_grad(), op, "weight takes no gradient; detach it first");
}

int64_t channels_of(const Tensor& x) { return x.ndim() > 0 ? x.size(-1) : 1; }

}  // namespace

Tensor squared_error(const Tensor& given, const Tensor& given_target, const Tensor& given_weight) {
  const Tensor prediction = widened(given), target = widened(given_target),
               weight = widened(given_weight);
  validate(prediction, target, weight);
  const Tensor x = packed(prediction), y = packed(target), w = packed(weight);
  Tensor result = Tensor::empty({}, x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::squared_error(ctx, x, y, w, channels_of(x), result); });
  Saved saved{x, y};
  if (w.defined()) saved.tensors.push_back(w);
  return record(op, {prediction, target}, result, std::move(saved),
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor &x = back.saved[0], &y = back.saved[1];
                  const Tensor w = back.saved.size() > 2 ? back.saved[2] : Tensor{};
                  Grads grads(2);
                  for (size_t i : {0u, 1u}) {
                    if (!back.needs(i)) continue;
                    grads[i] = Tensor::empty_like(x);
                    const double factor = i == 0 ? 2 : -2;
                    on_device(x, [&](auto ctx) {
                      kernels::squared_error_backward(ctx, x, y, w, channels_of(x), factor, dy,
                                                      grads[i]);
                    });
                  }
                  return grads;
                });
}

}  // namespace cytograd
