#include "cytograd/losses/nt_xent.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/autograd/gradcheck.h"
#include "nt_xent_expected.h"
#include "support/matrix.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::losses;

/// @file
/// The contrastive loss and how embeddings lie on the sphere; expected numbers in closed form, by
/// plain loops, and by PyTorch.

namespace {

using test::matrix;
using test::Rows;

Rows table(size_t rows, size_t columns, double a, double b, double scale) {
  Rows out(rows, std::vector<double>(columns));
  for (size_t row = 0; row < rows; ++row)
    for (size_t column = 0; column < columns; ++column) {
      const auto i = static_cast<double>(row), k = static_cast<double>(column);
      out[row][column] = scale * std::sin(a * i + b * k * k + 0.7 * i * k);
    }
  return out;
}
Rows first_views() { return table(5, 4, 2.9, 1.3, 1.5); }
Rows second_views() { return table(5, 4, 1.1, 0.4, 0.8); }

void near(double actual, double expected, double tolerance = 1e-12) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance * (1 + std::abs(expected))));
}

double largest(const Tensor& t) {
  double out = 0;
  for (const double v : t.to_vector<double>()) out = std::max(out, std::abs(v));
  return out;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double out = 0;
  for (size_t k = 0; k < a.size(); ++k) out += a[k] * b[k];
  return out;
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  return dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
}

// Equation 1 of the paper, term by term.
double plain(const Rows& a, const Rows& b, double temperature) {
  Rows z = a;
  z.insert(z.end(), b.begin(), b.end());
  const size_t n = a.size();
  double total = 0;
  for (size_t i = 0; i < 2 * n; ++i) {
    double below = 0;
    for (size_t k = 0; k < 2 * n; ++k)
      if (k != i) below += std::exp(cosine(z[i], z[k]) / temperature);
    total -= std::log(std::exp(cosine(z[i], z[(i + n) % (2 * n)]) / temperature) / below);
  }
  return total / static_cast<double>(2 * n);
}

double value_of(const Rows& a, const Rows& b, double temperature = 0.5) {
  return nt_xent(matrix(a), matrix(b), temperature).item();
}

void check_gradient(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs) {
  const GradCheck found = gradcheck(f, inputs);
  INFO(found.place);
  CHECK(found.passed(1e-7));
}

}  // namespace

TEST_CASE("nt_xent: closed forms") {
  const Rows axes = {{1, 0, 0}, {0, 2, 0}, {0, 0, 3}};
  const double e = std::numbers::e;
  for (const double t : {0.1, 0.5, 1.0, 3.0}) {
    CAPTURE(t);
    // Equal views of images at right angles: one cosine of 1, four of 0.
    near(value_of(axes, axes, t), std::log(1 + 4 * std::exp(-1 / t)));
    // All the same: nothing can be told apart.
    near(value_of({{1, 2}, {1, 2}, {2, 4}}, {{3, 6}, {1, 2}, {1, 2}}, t), std::log(5.0));
    near(value_of(first_views(), second_views(), t), plain(first_views(), second_views(), t));
  }
  // The second view of each image is its opposite.
  near(value_of({{1, 0}, {0, 1}}, {{-1, 0}, {0, -1}}, 1), 1 + std::log(1 / e + 2));
  // Two images on one line, views equal: cosines 1, -1, -1.
  near(value_of({{1, 0}, {-1, 0}}, {{1, 0}, {-1, 0}}, 1), std::log(e + 2 / e) - 1);
}

TEST_CASE("nt_xent: gradients by differences, in float32 as in float64, at right angles to rows") {
  for (const double t : {0.2, 1.0})
    check_gradient([t](const Tensors& in) { return nt_xent(in[0], in[1], t); },
                   {matrix(first_views()), matrix(second_views())});
  const Tensor a = matrix(first_views()), b = matrix(second_views());
  nt_xent(a, b).backward();
  const Tensor single_a = matrix(first_views(), Dtype::float32),
               single_b = matrix(second_views(), Dtype::float32);
  const Tensor single = nt_xent(single_a, single_b);
  CHECK(single.dtype() == Dtype::float32);
  near(single.item(), value_of(first_views(), second_views()), 1e-6);
  single.backward();
  CHECK(largest(single_a.grad().to(Dtype::float64) - a.grad()) < 1e-6);
  CHECK(largest(single_b.grad().to(Dtype::float64) - b.grad()) < 1e-6);
  CHECK(largest(sum(a.grad() * a.detach(), 1)) < 1e-14);
}

TEST_CASE("nt_xent: what it does not depend on") {
  const Rows a = first_views(), b = second_views();
  const double value = value_of(a, b);
  near(value_of(b, a), value);
  // Images in another order.
  const std::vector<size_t> order = {3, 0, 4, 1, 2};
  Rows c, d;
  for (const size_t i : order) {
    c.push_back(a[i]);
    d.push_back(b[i]);
  }
  near(value_of(c, d), value);
  // Lengths of rows; a rotation of all; components in another order.
  Rows e = a, f = b;
  for (size_t i = 0; i < e.size(); ++i)
    for (double& v : e[i]) v *= 0.01 + 7.0 * static_cast<double>(i);
  near(value_of(e, b), value);
  e = a;
  for (Rows* rows : {&e, &f})
    for (auto& row : *rows)
      row = {row[3], 0.6 * row[0] - 0.8 * row[2], row[1], 0.8 * row[0] + 0.6 * row[2]};
  near(value_of(e, f), value);
  // Partners do matter.
  Rows turned = b;
  std::swap(turned[0], turned[3]);
  CHECK(std::abs(value_of(a, turned) - value) > 1e-3);
  // Lower temperatures cost more, and stay numbers where exp of the logits would not.
  const double cold = value_of(a, b, 1e-4);
  CHECK(cold > value);
  CHECK(std::isfinite(cold));
  CHECK(nt_xent(matrix(a), matrix(b)).item() == value);  // the same bits again
}

TEST_CASE("nt_xent: zeros, NaN and what is refused") {
  // A row of zeros has cosine 0 with all and learns nothing.
  Rows rows = first_views();
  rows[2] = {0, 0, 0, 0};
  const Tensor a = matrix(rows), b = matrix(second_views());
  const Tensor loss = nt_xent(a, b);
  CHECK(std::isfinite(loss.item()));
  loss.backward();
  const auto gradient = a.grad().to_vector<double>();
  for (size_t k = 8; k < 12; ++k) CHECK(gradient[k] == 0);
  CHECK(largest(b.grad()) > 0);
  rows[2] = {0, std::nan(""), 0, 0};
  CHECK(std::isnan(value_of(rows, second_views())));
  CHECK(std::isnan(value_of(second_views(), rows)));
  const double infinite = std::numeric_limits<double>::infinity();
  rows[2] = {0, infinite, 0, 0};
  CHECK(std::isnan(value_of(rows, second_views())));

  CHECK_THROWS_WITH_AS(value_of({{1, 2}}, {{2, 1}}), doctest::Contains("two images or more"),
                       ValueError);
  CHECK_THROWS_AS(nt_xent(Tensor::zeros({0, 3}), Tensor::zeros({0, 3})), ValueError);
  CHECK_THROWS_AS(nt_xent(Tensor::zeros({2, 3}), Tensor::zeros({3, 3})), ShapeError);
  CHECK_THROWS_AS(nt_xent(Tensor::zeros({2, 3}), Tensor::zeros({2, 4})), ShapeError);
  CHECK_THROWS_AS(nt_xent(Tensor::zeros({6}), Tensor::zeros({6})), ShapeError);
  CHECK_THROWS_AS(nt_xent(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}, Dtype::float64)),
                  DtypeError);
  for (const double t : {0.0, -1.0, std::nan(""), infinite})
    CHECK_THROWS_AS(value_of(first_views(), second_views(), t), ValueError);
}

TEST_CASE("alignment, uniformity and spread: closed forms") {
  const Rows axes = {{1, 0}, {0, 2}}, opposite = {{-3, 0}, {0, -1}};
  near(alignment(matrix(axes), matrix(axes)).item(), 0);
  near(alignment(matrix(axes), matrix(opposite)).item(), 4);
  near(alignment(matrix({{1, 0}}), matrix({{0, 5}})).item(), 2);
  near(uniformity(matrix({{1, 2}, {2, 4}, {3, 6}})).item(), 0);
  near(uniformity(matrix(axes)).item(), -4);               // one pair, at distance sqrt(2)
  near(uniformity(matrix({{1, 0}, {-1, 0}})).item(), -8);  // at distance 2
  // The axes and their opposites: of 12 ordered pairs 8 at right angles, 4 opposite.
  const Rows cross = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  near(uniformity(matrix(cross)).item(), std::log((8 * std::exp(-4.0) + 4 * std::exp(-8.0)) / 12));
  // Variance of 1, 0, -1, 0 is 2/3.
  near(spread(matrix(cross)).item(), std::sqrt(2.0 / 3) * std::sqrt(2.0));
  near(spread(matrix({{1, 2}, {2, 4}})).item(), 0, 1e-7);
  check_gradient([](const Tensors& in) { return alignment(in[0], in[1]); },
                 {matrix(first_views()), matrix(second_views())});
  check_gradient([](const Tensors& in) { return uniformity(in[0]); }, {matrix(first_views())});
  check_gradient([](const Tensors& in) { return spread(in[0]); }, {matrix(first_views())});
  CHECK_THROWS_AS(alignment(matrix(axes), matrix(cross)), ShapeError);
  CHECK_THROWS_AS(alignment(Tensor::zeros({0, 3}), Tensor::zeros({0, 3})), ValueError);
  CHECK_THROWS_AS(uniformity(matrix({{1, 2}})), ValueError);
  CHECK_THROWS_AS(spread(matrix({{1, 2}})), ValueError);
  CHECK_THROWS_AS(unit_rows(Tensor::zeros({3})), ShapeError);
  CHECK(std::isnan(uniformity(matrix({{1, std::nan("")}, {1, 0}})).item()));
}

TEST_CASE("nt_xent and the measures equal plain PyTorch: 1e-9 in float64, 1e-5 in float32") {
  for (const Dtype dtype : {Dtype::float64, Dtype::float32})
    for (const NtXentRow& row : nt_xent_rows) {
      const std::string name = row.name;
      CAPTURE(name);
      CAPTURE(row.temperature);
      const double tolerance = dtype == Dtype::float64 ? 1e-9 : 1e-5;
      const Tensor a = matrix(first_views(), dtype), b = matrix(second_views(), dtype);
      const Tensor value = name == "nt_xent"      ? nt_xent(a, b, row.temperature)
                           : name == "alignment"  ? alignment(a, b)
                           : name == "uniformity" ? uniformity(a)
                                                  : spread(a);
      value.backward();
      double sine = 0, cosine = 0, at = 0;
      for (const Tensor& input : {a, b}) {
        const Tensor gradient =
            input.grad().defined() ? input.grad() : Tensor::zeros_like(input.detach());
        for (const double g : gradient.to_vector<double>()) {
          sine += g * std::sin(1 + at);
          cosine += g * std::cos(2 * at);
          ++at;
        }
      }
      near(value.item(), row.value, tolerance);
      near(sine, row.sine, tolerance);
      near(cosine, row.cosine, tolerance);
    }
}
