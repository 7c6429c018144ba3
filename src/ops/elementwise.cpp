#include "cytograd/ops/elementwise.h"

#include "cytograd/autograd/record.h"
#include "kernels/binary.h"
#include "kernels/unary.h"
#include "ops/common.h"
#include "ops/traced_params.h"

namespace cytograd {
namespace {

using kernels::SlopeOf;
using kernels::UnaryParams;

template <class F>
Tensor unary(const char* op, const Tensor& x, UnaryParams params = {}) {
  constexpr int function = kernels::UnaryFunctions::index<F>();
  check_computable(op, x);
  const Tensor xc = packed(x);
  Tensor y = Tensor::empty_like(xc);
  on_device(x, [&](auto ctx) { kernels::unary(ctx, function, params, xc, y); });
  Saved saved;
  if constexpr (F::slope_of == SlopeOf::input) saved = {xc};
  if constexpr (F::slope_of == SlopeOf::output) saved = {y};
  return record(op, {x}, y, saved, UnaryCall{function, params},
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor g = packed(dy);
                  Tensor dx = Tensor::empty_like(g);
                  on_device(g, [&](auto ctx) {
                    kernels::unary_backward(ctx, back.params.function, back.params.params,
                                            back.saved.size() ? back.saved[0] : Tensor{}, g, dx);
                  });
                  return {dx};
                });
}

// Not recorded: operands that broadcast, checked.
template <class F>
Tensor apply(const Tensor& a, const Tensor& b) {
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "binary");
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  const Tensor va = broadcast_view(a, shape), vb = broadcast_view(b, shape);
  on_device(
      a, [&](auto ctx) { kernels::binary(ctx, kernels::BinaryFunctions::index<F>(), va, vb, y); });
  return y;
}

// Functions that are steep somewhere lose too much to the rounding of a short argument.
template <class F>
Tensor wide_unary(const char* op, const Tensor& x, UnaryParams params = {}) {
  return unary<F>(op, widened(x), params);
}

// a and b are promoted().
template <class F>
Tensor binary(const char* op, const Tensor& a, const Tensor& b) {
  check<DtypeError>(a.dtype() == b.dtype(), op, "both operands expect one dtype, got ", a.dtype(),
                    " and ", b.dtype());
  check_computable(op, a);
  check_device(op, a, b, "the second operand");
  broadcast_shapes(a.shape(), b.shape(), op);
  return apply<F>(a, b);
}

template <class F>
Tensor apply_unary(const Tensor& x, double a) {
  return unary<F>("gradient", x.detach(), {a, 0});
}

// Gradients of maximum (Larger) and minimum: the chosen operand takes dy, a tie is halved.
template <bool Larger, class B>
Grads share(const B& back, const Tensor& dy) {
  const Tensor &a = back.saved[0], &b = back.saved[1];
  Tensor da, db;
  if (back.needs(0))
    da = sum_to(apply<kernels::Mul>(dy, Larger ? apply<kernels::LargerShare>(a, b)
                                               : apply<kernels::LargerShare>(b, a)),
                a.shape());
  if (back.needs(1))
    db = sum_to(apply<kernels::Mul>(dy, Larger ? apply<kernels::LargerShare>(b, a)
                                               : apply<kernels::LargerShare>(a, b)),
                b.shape());
  return {da, db};
}

}  // namespace

Tensor add(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  return record("add", {a, b}, binary<kernels::Add>("add", a, b), {},
                [](const auto& back, const Tensor& dy) -> Grads {
                  return {back.needs(0) ? sum_to(dy, back.input_shape(0)) : Tensor{},
                          back.needs(1) ? sum_to(dy, back.input_shape(1)) : Tensor{}};
                });
}

Tensor sub(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  return record("sub", {a, b}, binary<kernels::Sub>("sub", a, b), {},
                [](const auto& back, const Tensor& dy) -> Grads {
                  Tensor da, db;
                  if (back.needs(0)) da = sum_to(dy, back.input_shape(0));
                  if (back.needs(1))
                    db = apply_unary<kernels::MulScalar>(sum_to(dy, back.input_shape(1)), -1);
                  return {da, db};
                });
}

Tensor mul(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  return record("mul", {a, b}, binary<kernels::Mul>("mul", a, b), {a, b},
                [](const auto& back, const Tensor& dy) -> Grads {
                  Tensor da, db;
                  if (back.needs(0))
                    da = sum_to(apply<kernels::Mul>(dy, back.saved[1]), back.input_shape(0));
                  if (back.needs(1))
                    db = sum_to(apply<kernels::Mul>(dy, back.saved[0]), back.input_shape(1));
                  return {da, db};
                });
}

// d(a/b) = da/b - (a/b)/b db.
Tensor div(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  const Tensor y = binary<kernels::Div>("div", a, b);
  return record("div", {a, b}, y, {y, b}, [](const auto& back, const Tensor& dy) -> Grads {
    const Tensor da = apply<kernels::Div>(dy, back.saved[1]);
    Tensor db;
    if (back.needs(1))
      db = apply_unary<kernels::MulScalar>(
          sum_to(apply<kernels::Mul>(da, back.saved[0]), back.input_shape(1)), -1);
    return {back.needs(0) ? sum_to(da, back.input_shape(0)) : Tensor{}, db};
  });
}

Tensor maximum(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  return record("maximum", {a, b}, binary<kernels::Maximum>("maximum", a, b), {a, b},
                [](const auto& back, const Tensor& dy) { return share<true>(back, dy); });
}

Tensor minimum(const Tensor& given_a, const Tensor& given_b) {
  const auto [a, b] = promoted(given_a, given_b);
  return record("minimum", {a, b}, binary<kernels::Minimum>("minimum", a, b), {a, b},
                [](const auto& back, const Tensor& dy) { return share<false>(back, dy); });
}

Tensor add(const Tensor& a, double b) { return unary<kernels::AddScalar>("add", a, {b, 0}); }
Tensor mul(const Tensor& a, double b) { return unary<kernels::MulScalar>("mul", a, {b, 0}); }

Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor operator+(const Tensor& a, double b) { return add(a, b); }
Tensor operator-(const Tensor& a, double b) { return unary<kernels::AddScalar>("sub", a, {-b, 0}); }
Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
Tensor operator/(const Tensor& a, double b) {
  return unary<kernels::MulScalar>("div", a, {1 / b, 0});
}
Tensor operator+(double a, const Tensor& b) { return add(b, a); }
Tensor operator-(double a, const Tensor& b) { return add(neg(b), a); }
Tensor operator*(double a, const Tensor& b) { return mul(b, a); }
Tensor operator/(double a, const Tensor& b) {
  return wide_unary<kernels::ScalarOver>("div", b, {a, 0});
}
Tensor operator-(const Tensor& x) { return neg(x); }

Tensor neg(const Tensor& x) { return unary<kernels::MulScalar>("neg", x, {-1, 0}); }
Tensor exp(const Tensor& x) { return wide_unary<kernels::Exp>("exp", x); }
Tensor expm1(const Tensor& x) { return wide_unary<kernels::Expm1>("expm1", x); }
Tensor log(const Tensor& x) { return wide_unary<kernels::Log>("log", x); }
Tensor sqrt(const Tensor& x) { return wide_unary<kernels::Sqrt>("sqrt", x); }
Tensor square(const Tensor& x) { return wide_unary<kernels::Square>("square", x); }
Tensor abs(const Tensor& x) { return unary<kernels::Abs>("abs", x); }
Tensor pow(const Tensor& x, double exponent) {
  return wide_unary<kernels::Pow>("pow", x, {exponent, 0});
}
Tensor clamp(const Tensor& x, double low, double high) {
  check<ValueError>(low <= high, "clamp", "low must be <= high, got ", low, " and ", high);
  return unary<kernels::Clamp>("clamp", x, {low, high});
}
Tensor relu(const Tensor& x) { return unary<kernels::Relu>("relu", x); }
Tensor leaky_relu(const Tensor& x, double slope) {
  check<ValueError>(slope >= 0, "leaky_relu", "slope must be >= 0, got ", slope);
  return unary<kernels::LeakyRelu>("leaky_relu", x, {slope, 0});
}
Tensor sigmoid(const Tensor& x) { return unary<kernels::Sigmoid>("sigmoid", x); }
Tensor tanh(const Tensor& x) { return unary<kernels::Tanh>("tanh", x); }
Tensor softplus(const Tensor& x) { return wide_unary<kernels::Softplus>("softplus", x); }

}  // namespace cytograd
