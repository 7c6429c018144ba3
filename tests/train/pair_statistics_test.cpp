#include "cytograd/train/pair_statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

using namespace cytograd;

/// @file
/// Centroids and covariances of domain-class pairs; numbers by hand.

namespace {

using Rows = std::vector<std::vector<double>>;

Tensor matrix(const Rows& rows) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  return Tensor::from(values,
                      {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
}

void near(const Tensor& actual, const std::vector<double>& expected, double tolerance = 1.5e-6) {
  const auto values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    CAPTURE(i);
    CAPTURE(values[i]);
    CHECK_FALSE(!(std::abs(values[i] - expected[i]) <= tolerance));
  }
}

void refresh(PairStatistics& s, const Rows& z, const std::vector<int64_t>& domains,
             const std::vector<int64_t>& labels, size_t batch = 100) {
  s.begin();
  for (size_t first = 0; first < z.size(); first += batch) {
    const size_t end = std::min(first + batch, z.size());
    const auto part = [&](const auto& all) {
      return std::decay_t<decltype(all)>(all.begin() + static_cast<std::ptrdiff_t>(first),
                                         all.begin() + static_cast<std::ptrdiff_t>(end));
    };
    s.add(matrix(part(z)), part(domains), part(labels));
  }
  s.finish();
}

// Four corners whose covariance, with divisor n - 1, is (2, .5; .5, 1) about `center`.
Rows spread(double x, double y) {
  const double a = std::sqrt(3.0), b = std::sqrt(1.5 * 0.875), c = 0.75 / a;
  return {{x + a, y + c}, {x - a, y - c}, {x, y + b}, {x, y - b}};
}

}  // namespace

TEST_CASE("pair statistics: means of every pair (S1)") {
  PairStatistics s({{0, 0, 2}, {0, 1, 1}, {1, 0, 1}, {1, 1, 2}}, 2);
  CHECK(!s.defined());
  CHECK_THROWS_AS(s.distances(matrix({{0, 0}})), StateError);
  for (const size_t batch : {size_t{1}, size_t{4}, size_t{6}}) {
    PairStatistics t = s;
    refresh(t, {{1, 0}, {3, 0}, {0, 2}, {0, 4}, {2, 2}, {4, 0}}, {0, 0, 0, 1, 1, 1},
            {0, 0, 1, 0, 1, 1}, batch);
    near(t.mean(), {2, 0, 0, 2, 0, 4, 3, 1}, 1e-15);
  }
}

TEST_CASE("pair statistics: the new value of a refresh has 0.8 (S2)") {
  PairStatistics s({{0, 0, 1}, {1, 0, 1}}, 2);
  const Rows points = {{2, 0}, {3, 1}, {4, 1}};
  const std::vector<std::vector<double>> expected = {{2, 0}, {2.8, 0.8}, {3.76, 0.96}};
  for (size_t k = 0; k < points.size(); ++k) {
    refresh(s, {points[k], {0, 0}}, {0, 1}, {0, 0});
    near(slice(s.mean(), 0, 0, 1), expected[k], 1e-15);
  }
  // What was there stands until a refresh is complete.
  s.begin();
  s.add(matrix({{9, 9}}), {0}, {0});
  CHECK_THROWS_WITH_AS(s.finish(), doctest::Contains("no sample of class 0 in domain 1"),
                       StateError);
  near(slice(s.mean(), 0, 0, 1), expected[2], 1e-15);
}

TEST_CASE("pair statistics: Mahalanobis distances (S3)") {
  const auto distance = [](PairDistance kind, double shrinkage, const Rows& z) {
    PairStatistics s({{0, 0, 4}, {1, 0, 4}}, 2, {kind, 0.2, shrinkage});
    Rows all = spread(3, -2);
    for (const auto& row : spread(0, 0)) all.push_back(row);
    refresh(s, all, {0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0}, 3);
    return slice(s.distances(matrix(z)), 1, 0, 1);
  };
  const Rows z = {{4, -3}};
  near(distance(PairDistance::mahalanobis, 0, z), {1.511858});
  near(distance(PairDistance::mahalanobis, 0.1, z), {1.453899});
  near(distance(PairDistance::mahalanobis_diag, 0, z), {std::sqrt(0.5 + 1)});
  near(distance(PairDistance::mahalanobis_diag, 0.1, z), {std::sqrt(1 / 1.95 + 1 / 1.05)});
  near(distance(PairDistance::euclidean, 0.1, z), {std::sqrt(2.0)});
}

TEST_CASE("pair statistics: a pair of one sample takes the covariance of its domain") {
  for (const PairDistance kind : {PairDistance::mahalanobis, PairDistance::mahalanobis_diag}) {
    PairStatistics s({{0, 0, 4}, {0, 1, 1}, {1, 0, 1}}, 2, {kind});
    Rows all = spread(0, 0);
    all.push_back({5, 5});
    all.push_back({-7, 1});
    refresh(s, all, {0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 1, 0});
    const auto covariance = s.covariance().to_vector<double>();
    const size_t each = covariance.size() / 3;
    for (size_t i = 0; i < each; ++i) {
      CHECK(covariance[each + i] == doctest::Approx(covariance[i]));
      CHECK(covariance[2 * each + i] == 0);  // its domain has no spread at all
    }
    for (const double d : s.distances(matrix({{1, 2}})).to_vector<double>()) CHECK(d > 0);
  }
}

TEST_CASE("pair statistics: gradients of distances; the statistics are constants") {
  for (const PairDistance kind :
       {PairDistance::euclidean, PairDistance::mahalanobis, PairDistance::mahalanobis_diag}) {
    PairStatistics s({{0, 0, 4}, {1, 0, 4}}, 2, {kind});
    Rows all = spread(3, -2);
    for (const auto& row : spread(0, 0)) all.push_back(row);
    refresh(s, all, {0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0});
    const Tensor z = matrix({{1, 2}, {-1, 0.5}});
    z.set_requires_grad(true);
    const GradCheck found =
        gradcheck([&](const Tensors& in) { return sum(s.distances(in[0])); }, {z});
    INFO(found.place);
    CHECK(found.passed(1e-7));
  }
}

TEST_CASE("pair statistics: state is taken back, of another width refused") {
  const PairStatisticsOptions options{PairDistance::mahalanobis};
  PairStatistics s({{0, 0, 4}, {1, 0, 4}}, 2, options);
  CHECK(s.state("psi/").empty());
  Rows all = spread(3, -2);
  for (const auto& row : spread(0, 0)) all.push_back(row);
  refresh(s, all, {0, 0, 0, 0, 1, 1, 1, 1}, {0, 0, 0, 0, 0, 0, 0, 0});
  PairStatistics t({{0, 0, 4}, {1, 0, 4}}, 2, options);
  t.load_state(s.state("psi/"), "psi/");
  const Tensor z = matrix({{1, 2}});
  CHECK(t.distances(z).to_vector<double>() == s.distances(z).to_vector<double>());
  PairStatistics wide({{0, 0, 4}, {1, 0, 4}}, 3, options);
  CHECK_THROWS_AS(wide.load_state(s.state("psi/"), "psi/"), ShapeError);
  CHECK_THROWS_AS(s.add(matrix({{1, 2}}), {2}, {0}), ValueError);
  CHECK_THROWS_AS(s.add(matrix({{1, 2, 3}}), {0}, {0}), ShapeError);
}
