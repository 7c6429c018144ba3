#include "cytograd/gp/path.h"

#include <limits>

#include "cytograd/core/random.h"
#include "gp/gp_support.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::gp;
using test::check_close;
using test::check_op_error;

namespace {

constexpr double six_digits = 6e-7;

// n cells around a centre whose first coordinate is `at`.
Tensor group(int64_t n, double at, uint64_t seed, int64_t dims = 4) {
  Rng rng(seed, "group");
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < dims; ++k) out.push_back((k == 0 ? at : 1) + .2 * rng.normal());
  return Tensor::from(out, {n, dims});
}

double at(const Tensor& x, int64_t row, int64_t column) {
  return x.to_vector<double>()[static_cast<size_t>(row * x.size(1) + column)];
}

}  // namespace

TEST_CASE("two-point path: the closed maximum of the likelihood") {
  // Correlation .557324 in 50 dimensions.
  std::vector<double> a(50, 0.0), b(50, 0.0);
  a[0] = b[0] = std::sqrt(.557324);
  a[1] = b[2] = std::sqrt(1 - .557324);
  const Path path = two_point_path(Tensor::from(a), Tensor::from(b));
  check_close(path.kernel.parameters()[1].value, .924810, 2e-6);
  check_close(path.kernel.parameters()[0].value, .1, 1e-12);  // 2 / 100 is below its bound
  CHECK(path.notes.empty());
  CHECK(path.t.shape() == Shape{100});
  CHECK(path.mean.shape() == Shape{100, 50});
  for (int64_t k = 0; k < 3; ++k) {
    check_close(at(path.mean, 0, k), a[static_cast<size_t>(k)], 1e-6);
    check_close(at(path.mean, 99, k), b[static_cast<size_t>(k)], 1e-6);
  }
}

TEST_CASE("two-point path: beside a fit, reversed, and where it falls to the origin") {
  const std::vector<double> a = {1, 2, -1, .5}, b = {2, 1.5, -2, 1};
  const Path path = two_point_path(Tensor::from(a), Tensor::from(b), 5);
  if (has_lbfgs()) {
    Regression model(constant(1, {.1, 10}) * rbf(1, {.1, 10}) +
                     white(1e-10, {1e-10, 1}).with_fixed("noise"));
    std::vector<double> both = a;
    both.insert(both.end(), b.begin(), b.end());
    const FitReport report = model.fit(test::column({0, 1}), Tensor::from(both, {2, 4}));
    check_close(report.parameters[0].value, path.kernel.parameters()[0].value, 1e-4);
    check_close(report.parameters[1].value, path.kernel.parameters()[1].value, 1e-4);
  }
  const Path back = two_point_path(Tensor::from(b), Tensor::from(a), 5);
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t k = 0; k < 4; ++k) check_close(at(path.mean, i, k), at(back.mean, 4 - i, k), 1e-6);
  const Path fall = two_point_path(Tensor::from<double>({1, 0}), Tensor::from<double>({-1, .5}), 3);
  CHECK(fall.kernel.parameters()[1].value == .1);
  CHECK(std::abs(at(fall.mean, 1, 0)) < 1e-5);
  REQUIRE(fall.notes.size() == 1);
  CHECK(fall.notes[0].find("origin") != std::string::npos);
  const Path still = two_point_path(Tensor::from(a), Tensor::from(a), 3);
  CHECK(still.kernel.parameters()[1].value == 10);
  REQUIRE(still.notes.size() == 1);
  check_close(at(still.mean, 1, 1), 2, 2e-3);
}

TEST_CASE("straight path: the line, no variance at its ends") {
  const Path path = straight_path(Tensor::from<double>({0, 1}), Tensor::from<double>({2, -1}),
                                  Tensor::from<double>({4, 0}), 5);
  check_close(path.mean, {0, 1, .5, .5, 1, 0, 1.5, -.5, 2, -1}, 1e-12);
  const auto variance = path.standard.covariance.to_vector<double>();
  CHECK(variance[0] < 1e-9);
  CHECK(variance[24] < 1e-9);
  check_close(variance[12], .351946, six_digits);  // half way
  check_close(path.scale, {2, 0}, 1e-15);
  const Tensor draws = draw(path, 3, 1);
  CHECK(draws.shape() == Shape{3, 5, 2});
  const auto values = draws.to_vector<double>();
  for (size_t s = 0; s < 3; ++s)
    for (size_t i = 0; i < 5; ++i)
      CHECK(std::abs(values[(s * 5 + i) * 2 + 1] - (1 - .5 * static_cast<double>(i))) < 1e-12);
  CHECK(std::abs(values[4] - 1) > 1e-3);
}

TEST_CASE("anchored path: from group to group" * doctest::skip(!has_lbfgs())) {
  const Tensors groups = {group(30, 0, 1), group(30, 3, 2), group(5, 4, 3)};
  const Path path = anchored_path(groups, {.seed = 4});
  CHECK(path.mean.shape() == Shape{100, 4});
  check_close(at(path.mean, 0, 0), 0, .2);
  check_close(at(path.mean, 99, 0), 4, .1);
  CHECK(std::abs(at(path.mean, 50, 0) - 3) < .4);  // not on the line, which is at 2
  CHECK(std::abs(at(path.mean, 50, 1) - 1) < .2);
  REQUIRE(!path.notes.empty());
  CHECK(path.notes[0] == "group 2 has 5 cells, fewer than the anchors asked for");
  const Path again = anchored_path(groups, {.seed = 4});
  CHECK(again.mean.to_vector<double>() == path.mean.to_vector<double>());
  const auto draws = draw(path, 2, 3).to_vector<double>();
  CHECK(draws.size() == 800);
  // Constant dimensions have unit 1, and float32 latents serve.
  const Path flat =
      anchored_path({Tensor::ones({3, 2}), Tensor::ones({3, 2})}, {.anchors = 3, .points = 4});
  check_close(flat.scale, {1, 1}, 0);
  check_close(flat.mean, std::vector<double>(8, 1.0), 1e-6);
}

TEST_CASE("paths: bad input") {
  const Tensor a = Tensor::from<double>({1, 2});
  check_op_error<ShapeError>(
      [&] {
        two_point_path(a, Tensor::from<double>({1, 2, 3}));
      },
      "two_point_path: expects two latents [D] with D >= 1, got [2] and [3]");
  check_op_error<ValueError>([&] { two_point_path(a, a, 1); },
                             "two_point_path: points expects >= 2, got 1");
  check_op_error<ValueError>(
      [&] {
        two_point_path(a, Tensor::from<double>({1, std::numeric_limits<double>::infinity()}));
      },
      "two_point_path: expects finite latents, got inf");
  check_op_error<ValueError>(
      [&] {
        straight_path(a, a, Tensor::from<double>({-1, 0}));
      },
      "straight_path: variances expect >= 0, got -1");
  check_op_error<ValueError>([] { anchored_path({group(3, 0, 1)}); },
                             "anchored_path: expects at least two groups, got 1");
  check_op_error<ValueError>(
      [] {
        anchored_path({group(3, 0, 1), Tensor::zeros({0, 4}, Dtype::float64)});
      },
      "anchored_path: group 1 has no cells");
  check_op_error<ShapeError>(
      [] {
        anchored_path({group(3, 0, 1), group(3, 0, 1, 5)});
      },
      "anchored_path: group 1 expects latents [n, D] with one D >= 1, got [3, 5]");
}
