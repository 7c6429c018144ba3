#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/umap/graph.h"
#include "support/kernel_case.h"
#include "support/op_case.h"
#include "umap/points.h"

using namespace cytograd;
using namespace cytograd::umap;

namespace {

constexpr double half_digit = 6e-7;  // six digits after the point, and one rounding to float32

void check_all(const std::vector<float>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    CHECK_FALSE(!(std::abs(got[i] - expected[i]) <= half_digit * std::max(1.0, expected[i])));
  }
}

const std::vector<float> seven = {0, 0, 1, 0, 0, 2, 3, 1, 5, 5, 6, 5, 5, 7};

struct Edge {
  int i, j;
  double weight;
};

void check_edges(const Graph& g, const std::vector<Edge>& edges) {
  CHECK(g.edges() == static_cast<int64_t>(2 * edges.size()));
  for (const Edge& e : edges) {
    CAPTURE(e.i);
    CAPTURE(e.j);
    CHECK_FALSE(!(std::abs(g.at(e.i, e.j) - e.weight) <= 2e-6));
    CHECK(g.at(e.i, e.j) == g.at(e.j, e.i));
  }
}

}  // namespace

TEST_CASE("umap graph: seven points (U1)") {
  const Neighbors near = exact_neighbors({seven.data(), 7, 2}, 4);
  const Scales s = smooth_scales(near);
  check_all(s.rho, {1, 1, 2, 2.236068, 1, 1, 2});
  check_all(s.sigma, {2.170166, 1.783264, 0.831543, 1.336243, 2.850952, 3.380371, 1.979004});
  const Graph p = fuzzy_union(membership(near, s, 7));
  check_edges(p, {{0, 1, 1},
                  {0, 2, 1},
                  {1, 3, 1},
                  {0, 3, 0.684610},
                  {1, 2, 0.876424},
                  {2, 3, 0.623579},
                  {3, 4, 0.295855},
                  {3, 5, 0.306266},
                  {3, 6, 0.112453},
                  {4, 5, 1},
                  {4, 6, 1},
                  {5, 6, 0.965562}});
  const std::vector<int64_t> labels = {0, 0, 0, 0, 1, 1, -1};
  check_edges(intersect_labels(p, labels, 0.5), {{0, 3, 0.900529},
                                                 {1, 2, 0.984729},
                                                 {2, 3, 0.858307},
                                                 {3, 4, 0.003983},
                                                 {3, 5, 0.004123},
                                                 {3, 6, 0.149170},
                                                 {5, 6, 0.977795},
                                                 {0, 1, 1},
                                                 {0, 2, 1},
                                                 {1, 3, 1},
                                                 {4, 5, 1},
                                                 {4, 6, 1}});
  const Scales none = smooth_scales(near, 0);
  check_all(none.rho, {0, 0, 0, 0, 0, 0, 0});
  check_all(none.sigma, {4.870239, 4.400757, 6.031616, 7.003662, 5.704102, 6.244141, 8.121216});
}

TEST_CASE("umap graph: one row of distances, and the union of two memberships") {
  const Neighbors near{1, 4, {0, 1, 2, 3}, {0, 1, 2, 4}};
  const Scales s = smooth_scales(near);
  // Bisection ends where the sum is within 1e-5 of log2(4). The slope of the sum is 0.239, that of
  // the memberships .0997 and .139.
  const auto within = [](float got, double expected, double slope) {
    CAPTURE(got);
    CHECK_FALSE(!(std::abs(got - expected) <= 1e-5 * slope / .239 + half_digit));
  };
  CHECK(s.rho == std::vector<float>{1});
  within(s.sigma[0], 2.616123, 1);
  const Graph row = membership(near, s, 4);
  CHECK(row.edges() == 3);  // none to itself
  CHECK(row.at(0, 1) == 1);
  within(row.at(0, 2), .682328, .0997);
  within(row.at(0, 3), .317672, .139);
  const Graph both{2, 2, {0, 1, 2}, {1, 0}, {.682328f, .3f}};
  check_edges(fuzzy_union(both), {{0, 1, .777630}});
}

TEST_CASE("umap graph: duplicates meet the floors of sigma (U2)") {
  const Neighbors near{3, 4, std::vector<int32_t>(12), {0, 0, 0, 0, 0, 0, 0, 1, 0, .5f, .5f, .5f}};
  const Scales s = smooth_scales(near);
  check_all(s.rho, {0, 1, .5});
  check_all(s.sigma, {0.000208333, 0.000250, 0.000375});
}

TEST_CASE("umap graph: sigma solves its equation with a duplicate among the neighbours") {
  umap::Neighbors n;
  n.rows = 1;
  n.k = 8;
  n.distance = {0, 0, 1, 2, 3, 4, 5, 6};
  const umap::Scales s = umap::smooth_scales(n);
  CHECK(s.rho[0] == 1);
  // The duplicate and the nearest other count as 1.
  double sum = 2;
  for (int d = 2; d <= 6; ++d) sum += std::exp(-(d - 1) / static_cast<double>(s.sigma[0]));
  CHECK(std::abs(sum - 3) < 1e-4);
}

TEST_CASE("umap graph: fractional local connectivity") {
  const Neighbors near{1, 4, std::vector<int32_t>(4), {0, 1, 2, 4}};
  check_all(smooth_scales(near, 1.5).rho, {1.5});
  check_all(smooth_scales(near, 2).rho, {2});
  check_all(smooth_scales(near, 0.25).rho, {0.25});
  check_all(smooth_scales(near, 9).rho, {4});
}

TEST_CASE("umap graph: data set B (U6)") {
  const test::DataB b;
  const float* v = b.rows.data<float>();
  check_all({v[0], v[1], v[2], v[3]}, {0.145152, -0.312160, 0.605358, 0.190967});
  const Neighbors near = exact_neighbors(test::view(b.rows), 15);
  const Scales s = smooth_scales(near);
  const Graph p = fuzzy_union(membership(near, s, 600));
  const auto labels = b.labels.to_vector<int64_t>();
  const auto totals = [&](const Graph& g) {
    double sum = 0, same = 0;
    for (int64_t i = 0; i < g.rows; ++i)
      for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e) {
        sum += g.weight[e];
        same += labels[i] == labels[static_cast<size_t>(g.column[e])] ? g.weight[e] : 0;
      }
    return std::pair(sum, same / sum);
  };
  CHECK(p.edges() == 11632);
  CHECK(std::abs(totals(p).first - 3882.385) < 0.05);
  CHECK(std::abs(totals(p).second - 0.749385) < 1e-5);
  double sigma = 0, rho = 0;
  for (size_t i = 0; i < 600; ++i) {
    sigma += s.sigma[i] / 600;
    rho += s.rho[i] / 600;
  }
  CHECK(std::abs(sigma - 0.187279) < 2e-6);
  CHECK(std::abs(rho - 1.299098) < 2e-6);
  check_all({s.sigma[0], s.rho[0]}, {0.084588, 1.449299});
  const Graph supervised = intersect_labels(p, labels, 0.5);
  CHECK(std::abs(totals(supervised).first - 4289.600) < 0.05);
  CHECK(std::abs(totals(supervised).second - 0.994080) < 1e-5);
}

TEST_CASE("umap graph: mix 0 keeps mutual neighbours, weight 1 of the labels cuts classes apart") {
  const Neighbors near = exact_neighbors({seven.data(), 7, 2}, 4);
  const Graph a = membership(near, smooth_scales(near), 7);
  const Graph both = fuzzy_union(a, 0);
  for (int64_t i = 0; i < 7; ++i)
    for (int64_t j = 0; j < 7; ++j) CHECK(both.at(i, j) == a.at(i, j) * a.at(j, i));
  const std::vector<int64_t> labels = {0, 0, 0, 0, 1, 1, 1};
  const Graph cut = intersect_labels(fuzzy_union(a), labels, 1);
  CHECK(cut.at(3, 4) == 0);
  const auto parts = connected_components(cut);
  CHECK(parts == std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1});
  test::check_op_error<ShapeError>([&] { intersect_labels(a, std::vector<int64_t>{1}, .5); },
                                   "intersect_labels: expected 7 labels, got 1");
}
