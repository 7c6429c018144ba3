#include "cytograd/ops/reduce.h"

#include <cmath>

#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// Calls formula(row) for every row of x along `dim` and stores the result.
Ref along(const Ref& x, int dim, double (*formula)(const std::vector<double>&)) {
  int64_t outer = 1, inner = 1;
  Shape shape;
  for (int d = 0; d < x.shape.ndim(); ++d) {
    if (d != dim) shape.push_back(x.shape[d]);
    (d < dim ? outer : inner) *= d == dim ? 1 : x.shape[d];
  }
  Ref out(shape);
  const int64_t n = x.shape[dim];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i) {
      std::vector<double> row;
      for (int64_t r = 0; r < n; ++r)
        row.push_back(x.values[static_cast<size_t>((o * n + r) * inner + i)]);
      out.values[static_cast<size_t>(o * inner + i)] = formula(row);
    }
  return out;
}

double sum_of(const std::vector<double>& row) {
  double total = 0;
  for (const double x : row) total += x;
  return total;
}
double mean_of(const std::vector<double>& row) {
  return sum_of(row) / static_cast<double>(row.size());
}
double max_of(const std::vector<double>& row) {
  double best = -INFINITY;
  for (const double x : row) {
    if (std::isnan(x)) return x;
    best = std::max(best, x);
  }
  return best;
}
double min_of(const std::vector<double>& row) {
  double best = INFINITY;
  for (const double x : row) {
    if (std::isnan(x)) return x;
    best = std::min(best, x);
  }
  return best;
}
double logsumexp_of(const std::vector<double>& row) {
  double total = 0;
  for (const double x : row) total += std::exp(x);
  return std::log(total);
}
double norm_of(const std::vector<double>& row) {
  double total = 0;
  for (const double x : row) total += x * x;
  return std::sqrt(total);
}
double var_of(const std::vector<double>& row) {
  const double m = mean_of(row);
  double total = 0;
  for (const double x : row) total += (x - m) * (x - m);
  return total / static_cast<double>(row.size() - 1);
}

void check_along(const std::string& name, Tensor (*op)(const Tensor&, int),
                 double (*formula)(const std::vector<double>&), const Shape& shape, int dim) {
  OpCase c;
  c.name = name;
  c.inputs = {{shape}};
  c.op = [op, dim](const Tensors& in) { return op(in[0], dim); };
  c.reference = [formula, dim](const std::vector<Ref>& in) { return along(in[0], dim, formula); };
  check_op(c);
}

}  // namespace

TEST_CASE("reductions along one axis") {
  const std::vector<Shape> shapes = {{7}, {3, 5}, {2, 3, 17}, {3, 0}, {1, 1}, {4, 1, 9}};
  for (const Shape& shape : shapes) {
    for (int dim = 0; dim < shape.ndim(); ++dim) {
      CAPTURE(shape[0]);
      CAPTURE(dim);
      check_along(
          "sum", [](const Tensor& x, int d) { return sum(x, d); }, sum_of, shape, dim);
      if (shape[dim] == 0) continue;
      check_along(
          "mean", [](const Tensor& x, int d) { return mean(x, d); }, mean_of, shape, dim);
      check_along(
          "max", [](const Tensor& x, int d) { return max(x, d); }, max_of, shape, dim);
      check_along(
          "min", [](const Tensor& x, int d) { return min(x, d); }, min_of, shape, dim);
      check_along(
          "logsumexp", [](const Tensor& x, int d) { return logsumexp(x, d); }, logsumexp_of, shape,
          dim);
      check_along(
          "norm", [](const Tensor& x, int d) { return norm(x, d); }, norm_of, shape, dim);
      if (shape[dim] > 1)
        check_along(
            "var", [](const Tensor& x, int d) { return var(x, d); }, var_of, shape, dim);
    }
  }
}

TEST_CASE("sum over several axes, neighbours or not") {
  OpCase c;
  c.name = "sum {0, 2}";
  c.inputs = {{{2, 3, 5, 2}}};
  c.op = [](const Tensors& in) { return sum(in[0], {0, -2}); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out({3, 2});
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 3; ++b)
        for (int64_t d = 0; d < 5; ++d)
          for (int64_t e = 0; e < 2; ++e) out({b, e}) += in[0]({a, b, d, e});
    return out;
  };
  check_op(c);
  c.name = "mean {1, 2} keepdim";
  c.op = [](const Tensors& in) { return mean(in[0], {1, 2}, true); };
  c.reference = [](const std::vector<Ref>& in) {
    Ref out({2, 1, 1, 2});
    for (int64_t a = 0; a < 2; ++a)
      for (int64_t b = 0; b < 3; ++b)
        for (int64_t d = 0; d < 5; ++d)
          for (int64_t e = 0; e < 2; ++e) out({a, 0, 0, e}) += in[0]({a, b, d, e}) / 15;
    return out;
  };
  check_op(c);
  c.name = "mean of all";
  c.op = [](const Tensors& in) { return mean(in[0]); };
  c.reference = [](const std::vector<Ref>& in) { return Ref({}, mean_of(in[0].values)); };
  check_op(c);
}

TEST_CASE("sums longer than a chunk keep float64 accuracy and the same bits") {
  // 0.1f a million times: a float32 running sum would be off by 1 %.
  const Tensor x = Tensor::full({1'000'003}, 0.1);
  const double want = 1'000'003.0 * static_cast<double>(0.1f);
  CHECK(sum(x).item() == doctest::Approx(want).epsilon(1e-7));
  const Tensor table = Tensor::full({100'003, 7}, 0.1);
  for (const float s : sum(table, 0).to_vector<float>())
    CHECK(s == doctest::Approx(100'003.0 * static_cast<double>(0.1f)).epsilon(1e-7));
  const Tensor thirds = Tensor::full({300'007}, 1.0 / 3, Dtype::float64);
  CHECK(same_for_any_threads([&] { return sum(thirds).to_vector<double>(); }));
  CHECK(sum(Tensor::full({3, 5000}, 2.0), 0).to_vector<float>() == std::vector<float>(5000, 6.0f));
}

TEST_CASE("argmax takes the first largest, and NaN first of all") {
  const Tensor x = Tensor::from<float>({1, 3, 3, 2, NAN, 5}, {2, 3});
  CHECK(argmax(x, 1).to_vector<int64_t>() == std::vector<int64_t>{1, 1});
  CHECK(argmax(x, 0).to_vector<int64_t>() == std::vector<int64_t>{1, 1, 1});
  CHECK(argmax(x, 1, true).shape() == Shape{2, 1});
}

TEST_CASE("keepdim, ties and edges of reductions") {
  const Tensor x = Tensor::from<double>({2, 7, 7}, {1, 3});
  x.set_requires_grad(true);
  const Tensor y = max(x, 1, true);
  CHECK(y.shape() == Shape{1, 1});
  y.backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 1, 0});
  const double inf = INFINITY;
  CHECK(logsumexp(Tensor::from<double>({-inf, -inf}), 0).item() == -inf);
  CHECK(logsumexp(Tensor::from<double>({inf, 1}), 0).item() == inf);
  CHECK(logsumexp(Tensor::from<float>({1000, 1000}), 0).item() == doctest::Approx(1000.6931));
  CHECK(logsumexp(Tensor::empty({2, 0}), 1).to_vector<double>() == std::vector<double>{-inf, -inf});
  CHECK(std::isnan(mean(Tensor::empty({0})).item()));
  CHECK(std::isnan(var(Tensor::ones({1}), 0).item()));
  const Tensor zero = Tensor::zeros({3});
  zero.set_requires_grad(true);
  norm(zero, 0).backward();
  CHECK(zero.grad().to_vector<double>() == std::vector<double>{0, 0, 0});
}

// torch 2: x = torch.sin(torch.arange(12.)).double().reshape(3, 4); x.var(1), x.var(0,
// correction=0), x.logsumexp(0), x.norm(dim=1)
TEST_CASE("reductions agree with torch") {
  std::vector<double> values;
  for (int i = 0; i < 12; ++i) values.push_back(std::sin(static_cast<double>(i)));
  const Tensor x = Tensor::from(values, {3, 4});
  const auto close = [](const Tensor& got, const std::vector<double>& want) {
    const std::vector<double> values = got.to_vector<double>();
    REQUIRE(values.size() == want.size());
    for (size_t i = 0; i < want.size(); ++i)
      CHECK(values[i] == doctest::Approx(want[i]).epsilon(1e-12));
  };
  close(var(x, 1), {0.21999987907921784, 0.5181083480170902, 0.8131772471030067});
  close(var(x, 0, 0),
        {0.5111841215253446, 0.589502767633011, 0.39946548005045096, 0.4793136660497484});
  close(logsumexp(x, 0),
        {1.4251958174228057, 1.4381975699512832, 1.3400443850604598, 1.2379151937954567});
  close(norm(x, 1), {1.2469202401838677, 1.4149170268861597, 1.5635251095937905});
}

TEST_CASE("reductions refuse what they cannot take") {
  const Tensor x = Tensor::zeros({2, 3});
  check_op_error<ShapeError>([&] { sum(x, 2); }, "sum: dim expects a value in [-2, 1], got 2");
  check_op_error<ShapeError>([&] { sum(x, {1, -1}); }, "sum: dim -1 is named twice");
  check_op_error<DtypeError>([&] { mean(x.to(Dtype::int64)); },
                             "mean: expects float32 or float64, got int64");
  check_op_error<ShapeError>(
      [&] {
        max(Tensor::zeros({2, 0}), 1);
      },
      "max: dim 1 has no elements in [2, 0]");
  check_op_error<ShapeError>([&] { argmax(Tensor::zeros({0}), 0); },
                             "argmax: dim 0 has no elements in [0]");
  check_op_error<ValueError>([&] { var(x, 0, -1); }, "var: correction must be >= 0, got -1");
}
