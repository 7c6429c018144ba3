#include "cytograd/ops/elementwise.h"

#include <cmath>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

using Unary = double (*)(double);

void check_unary(const std::string& name, Tensor (*op)(const Tensor&), Unary formula,
                 const Input& input, double float32_tolerance = 2e-6) {
  OpCase c;
  c.name = name;
  c.inputs = {input};
  c.op = [op](const Tensors& in) { return op(in[0]); };
  c.reference = [formula](const std::vector<Ref>& in) {
    Ref out(in[0].shape);
    for (size_t i = 0; i < out.values.size(); ++i) out.values[i] = formula(in[0].values[i]);
    return out;
  };
  c.float32_tolerance = float32_tolerance;
  check_op(c);
}

// The element of x that broadcasting pairs with position `flat` of `shape`.
double paired(const Ref& x, const Shape& shape, int64_t flat) {
  int64_t at = 0, stride = 1;
  for (int d = shape.ndim() - 1, e = x.shape.ndim() - 1; e >= 0; --d, --e) {
    const int64_t i = flat % shape[d];
    flat /= shape[d];
    at += (x.shape[e] == 1 ? 0 : i) * stride;
    stride *= x.shape[e];
  }
  return x.values[static_cast<size_t>(at)];
}

void check_binary(const std::string& name, Tensor (*op)(const Tensor&, const Tensor&),
                  double (*formula)(double, double), const Input& a, const Input& b) {
  OpCase c;
  c.name = name;
  c.inputs = {a, b};
  c.op = [op](const Tensors& in) { return op(in[0], in[1]); };
  c.reference = [formula](const std::vector<Ref>& in) {
    Ref out(broadcast_shapes(in[0].shape, in[1].shape, "test"));
    for (size_t i = 0; i < out.values.size(); ++i)
      out.values[i] = formula(paired(in[0], out.shape, static_cast<int64_t>(i)),
                              paired(in[1], out.shape, static_cast<int64_t>(i)));
    return out;
  };
  c.float32_grad_tolerance = 1e-4;  // sums of up to 100 products
  check_op(c);
}

double max_nan(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b); }
double min_nan(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b); }

const std::vector<std::pair<Shape, Shape>> pairs = {
    {{3, 5}, {3, 5}}, {{3, 5}, {5}}, {{5}, {3, 5}}, {{3, 1}, {1, 5}},    {{2, 3, 4}, {3, 1}},
    {{}, {7}},        {{1}, {}},     {{0, 3}, {3}}, {{2, 1, 3}, {4, 1}}, {{3, 5}, {}},
};

}  // namespace

TEST_CASE("elementwise functions of one operand") {
  for (const Shape& shape : {Shape{3, 7}, Shape{}, Shape{0, 3}, Shape{1, 17, 2}}) {
    check_unary("neg", neg, [](double x) { return -x; }, {shape});
    check_unary("expm1", expm1, [](double x) { return std::expm1(x); }, {shape});
    check_unary("exp", exp, [](double x) { return std::exp(x); }, {shape});
    check_unary("log", log, [](double x) { return std::log(x); }, {shape, 0.1, 5});
    check_unary("sqrt", sqrt, [](double x) { return std::sqrt(x); }, {shape, 0.1, 5});
    check_unary("square", square, [](double x) { return x * x; }, {shape});
    check_unary("abs", abs, [](double x) { return std::fabs(x); }, {shape, -2, 2, {0}});
    check_unary("relu", relu, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); },
                {shape, -2, 2, {0}});
    check_unary("sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); },
                {shape, -9, 9});
    check_unary("tanh", cytograd::tanh, [](double x) { return std::tanh(x); }, {shape, -4, 4});
    check_unary("softplus", softplus, [](double x) { return std::log(1 + std::exp(x)); },
                {shape, -5, 5});
    check_unary(
        "pow 2.5", [](const Tensor& x) { return pow(x, 2.5); },
        [](double x) { return std::pow(x, 2.5); }, {shape, 0.1, 3});
    check_unary(
        "pow 0", [](const Tensor& x) { return pow(x, 0) * 2 + x; }, [](double x) { return 2 + x; },
        {shape});
    check_unary(
        "clamp", [](const Tensor& x) { return clamp(x, -0.5, 1.25); },
        [](double x) { return std::isnan(x) ? x : std::min(std::max(x, -0.5), 1.25); },
        {shape, -2, 2, {-0.5, 1.25}});
    check_unary(
        "leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); },
        [](double x) { return x < 0 ? 0.2 * x : x; }, {shape, -2, 2, {0}});
    check_unary(
        "with numbers", [](const Tensor& x) { return (2.0 - x) / 4.0 + 3.0 / (x + 5.0); },
        [](double x) { return (2 - x) / 4 + 3 / (x + 5); }, {shape});
  }
}

TEST_CASE("elementwise functions of two operands broadcast") {
  for (const auto& [a, b] : pairs) {
    check_binary("add", add, [](double x, double y) { return x + y; }, {a}, {b});
    check_binary("sub", sub, [](double x, double y) { return x - y; }, {a}, {b});
    check_binary("mul", mul, [](double x, double y) { return x * y; }, {a}, {b});
    check_binary("div", div, [](double x, double y) { return x / y; }, {a}, {b, 0.5, 2});
    check_binary("maximum", maximum, max_nan, {a, -2, -0.1}, {b, 0, 2});
    check_binary("minimum", minimum, min_nan, {a, -2, 2}, {b, 3, 4});
  }
}

TEST_CASE("maximum and minimum choose by element and halve the gradient at a tie") {
  const Tensor a = Tensor::from<double>({1, 5, 2}), b = Tensor::from<double>({3, 4, 2});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  CHECK(maximum(a, b).to_vector<double>() == std::vector<double>{3, 5, 2});
  CHECK(minimum(a, b).to_vector<double>() == std::vector<double>{1, 4, 2});
  maximum(a, b).backward(Tensor::ones({3}, Dtype::float64));
  CHECK(a.grad().to_vector<double>() == std::vector<double>{0, 1, 0.5});
  CHECK(b.grad().to_vector<double>() == std::vector<double>{1, 0, 0.5});
}

TEST_CASE("slopes at kinks are those the header states") {
  const auto slope_at = [](double at, auto&& f) {
    const Tensor x = Tensor::from<double>({at});
    x.set_requires_grad(true);
    f(x).backward();
    return x.grad().item();
  };
  CHECK(slope_at(0, [](const Tensor& x) { return relu(x); }) == 0);
  CHECK(slope_at(0, [](const Tensor& x) { return abs(x); }) == 0);
  CHECK(slope_at(0, [](const Tensor& x) { return leaky_relu(x, 0.3); }) == 0.3);
  CHECK(slope_at(1, [](const Tensor& x) { return clamp(x, 0, 1); }) == 1);
  CHECK(slope_at(0, [](const Tensor& x) { return pow(x, 0); }) == 0);
  CHECK(slope_at(0, [](const Tensor& x) { return sqrt(x); }) ==
        std::numeric_limits<double>::infinity());
}

TEST_CASE("functions that saturate do so without overflow") {
  const Tensor x = Tensor::from<float>({-1000, -50, 50, 1000});
  const std::vector<float> s = sigmoid(x).to_vector<float>();
  CHECK(s[0] == 0);
  CHECK(s[1] == doctest::Approx(1.9287498e-22));
  CHECK(s[3] == 1);
  CHECK(cytograd::tanh(x).to_vector<float>() == std::vector<float>{-1, -1, 1, 1});
  CHECK(softplus(x).to_vector<float>() == std::vector<float>{0, std::exp(-50.0f), 50, 1000});
}

TEST_CASE("elementwise operations refuse what they cannot take") {
  const Tensor f = Tensor::zeros({2, 3}), i = Tensor::zeros({2, 3}, Dtype::int64);
  check_op_error<ShapeError>([&] { add(f, Tensor::zeros({2})); },
                             "add: shapes [2, 3] and [2] do not broadcast");
  check_op_error<DtypeError>([&] { mul(f, f.to(Dtype::float64)); },
                             "mul: both operands expect one dtype, got float32 and float64");
  check_op_error<DtypeError>([&] { div(i, i); }, "div: expects float32 or float64, got int64");
  check_op_error<DtypeError>([&] { exp(i); }, "exp: expects float32 or float64, got int64");
  check_op_error<ValueError>([&] { clamp(f, 2, 1); }, "clamp: low must be <= high, got 2 and 1");
  check_op_error<ValueError>([&] { leaky_relu(f, -1); }, "leaky_relu: slope must be >= 0, got -1");
  check_op_error<StateError>([&] { relu(Tensor{}); }, "dtype: the tensor is undefined");
}
