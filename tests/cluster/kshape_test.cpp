#include "cytograd/cluster/kshape.h"

#include <numeric>

#include "cluster/cluster_support.h"
#include "cytograd/core/random.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::cluster;
using test::check_op_error;
using test::close_values;
using test::curves;

namespace {

Curves six() {
  return z_normalised(curves({{0, 1, 2, 3, 4, 5},
                              {0, 0, 1, 3, 5, 5},
                              {1, 2, 2, 3, 4, 6},
                              {5, 4, 3, 2, 1, 0},
                              {5, 5, 4, 2, 1, 1},
                              {6, 4, 3, 3, 2, 0}}));
}

// Bells around three times with noise; row i is of group i mod 3.
Curves bells(int64_t rows, int64_t length = 40) {
  Rng rng(4, "bells");
  Curves out{rows, length, {}};
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t l = 0; l < length; ++l) {
      const double t = static_cast<double>(l) / static_cast<double>(length - 1);
      const double rising = 1 / (1 + std::exp(-20 * (t - .5))),
                   bell = std::exp(-50 * (t - .5) * (t - .5));
      const double shape = i % 3 == 0 ? rising : i % 3 == 1 ? 1 - rising : bell;
      out.values.push_back(shape + .05 * rng.normal());
    }
  return out;
}

// How many of the pairs of rows are together in both labellings or in neither.
double agreement(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  double same = 0, pairs = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < i; ++j, ++pairs) same += (a[i] == a[j]) == (b[i] == b[j]);
  return same / pairs;
}

}  // namespace

TEST_CASE("k-shape: six curves") {
  const Clusters found = k_shape(six(), {.k = 2, .initial = {0, 3}});
  CHECK(found.labels == std::vector<int64_t>{0, 0, 0, 1, 1, 1});
  REQUIRE(found.history.size() >= 2);
  close_values({found.history[0], found.history[1], found.inertia}, {.001119, .000759, .000759},
               test::half_digit);
  const std::vector<double> scores = shape_silhouettes(six(), {found.labels, {0, 0, 0, 1, 1, 2}});
  close_values({scores[0]}, {.872535}, test::half_digit);
  CHECK(scores[1] < scores[0]);
}

TEST_CASE("k-shape: finds groups, by seed, for any number of threads and order of rows") {
  const Curves raw = bells(90), data = z_normalised(raw);
  std::vector<int64_t> truth;
  for (int64_t i = 0; i < 90; ++i) truth.push_back(i % 3);
  const Clusters found = k_shape(data, {.seed = 2});
  CHECK(agreement(found.labels, truth) > .95);
  CHECK(found.iterations >= 1);
  CHECK(found.history.size() == static_cast<size_t>(found.iterations) + 1);
  CHECK(test::same_for_any_threads([&] {
    const Clusters c = k_shape(data, {.starts = 2, .seed = 2});
    std::vector<double> out = c.centroids.values;
    out.insert(out.end(), c.labels.begin(), c.labels.end());
    return out;
  }));
  // Backwards, with the same curves to start from.
  std::vector<int64_t> back(90);
  std::iota(back.rbegin(), back.rend(), 0);
  const Clusters forward = k_shape(data, {.initial = {0, 1, 2}});
  const Clusters backward = k_shape(data.subset(back), {.initial = {89, 88, 87}});
  for (size_t i = 0; i < 90; ++i) CHECK(forward.labels[i] == backward.labels[89 - i]);
}

TEST_CASE("k-shape: as many clusters as curves, and clusters that run empty") {
  const Clusters each = k_shape(six(), {.k = 6});
  std::vector<int64_t> sorted = each.labels;
  std::sort(sorted.begin(), sorted.end());
  CHECK(sorted == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
  CHECK(each.inertia < 1e-12);
  // Two pairs of equal curves: one cluster of three has no curve that is nearest to it alone.
  const Curves pairs =
      z_normalised(curves({{0, 1, 2, 4}, {0, 1, 2, 4}, {4, 1, 1, 0}, {4, 1, 1, 0}}));
  const Clusters reseeded = k_shape(pairs, {.initial = {0, 1, 2}});
  std::vector<int64_t> count(3);
  for (const int64_t label : reseeded.labels) ++count[static_cast<size_t>(label)];
  for (const int64_t n : count) CHECK(n >= 1);
  check_op_error<StateError>(
      [&] {
        k_shape(pairs, {.empty = EmptyCluster::restart, .initial = {0, 1, 2}});
      },
      "k_shape: a cluster was empty in every start; use fewer clusters, or reseed them");
}

TEST_CASE("k-means: six curves, groups, and its centroids are means") {
  const Clusters found = k_means(six(), {.k = 2, .initial = {0, 3}});
  CHECK(found.labels == std::vector<int64_t>{0, 0, 0, 1, 1, 1});
  const Curves data = six();
  for (size_t l = 0; l < 6; ++l)
    close_values({found.centroids.row(0)[l]},
                 {(data.row(0)[l] + data.row(1)[l] + data.row(2)[l]) / 3}, 1e-12);
  double inertia = 0;
  for (int64_t i = 0; i < 6; ++i)
    for (size_t l = 0; l < 6; ++l) {
      const double d = data.row(i)[l] - found.centroids.row(i / 3)[l];
      inertia += d * d;
    }
  close_values({found.inertia}, {inertia}, 1e-12);
  std::vector<int64_t> truth;
  for (int64_t i = 0; i < 90; ++i) truth.push_back(i % 3);
  CHECK(agreement(k_means(z_normalised(bells(90)), {.seed = 1}).labels, truth) > .95);
  const Curves alike{3, 2, {1, 2, 1, 2, 1, 2}};
  CHECK(k_means(alike, {.k = 2}).inertia == 0);
}

TEST_CASE("silhouettes: by hand, singletons are 0, labels are checked") {
  const Curves data = six();
  const auto distance = [&](int64_t i, int64_t j) {
    return shape_match(data.row(i), data.row(j)).distance;
  };
  const std::vector<int64_t> labels = {0, 0, 0, 0, 0, 1};
  double sum = 0;
  for (int64_t i = 0; i < 5; ++i) {
    double a = 0;
    for (int64_t j = 0; j < 5; ++j) a += i == j ? 0 : distance(i, j) / 4;
    const double b = distance(i, 5);
    sum += (b - a) / std::max(a, b);
  }
  close_values(shape_silhouettes(data, {labels}), {sum / 6}, 1e-9);
  check_op_error<ValueError>(
      [&] {
        shape_silhouettes(data, {{0, 0, 0, 0, 0, 0}});
      },
      "shape_silhouettes: expects at least two clusters");
  check_op_error<ValueError>(
      [&] {
        shape_silhouettes(data, {{0, 0, 0, 0, 0, -1}});
      },
      "shape_silhouettes: labels expect 0 to 5, got -1");
  check_op_error<ShapeError>(
      [&] {
        shape_silhouettes(data, {{0, 1}});
      },
      "shape_silhouettes: expects 6 labels, got 2");
}

TEST_CASE("k-shape and k-means: bad options") {
  check_op_error<ValueError>([] { k_shape(six(), {.k = 7}); },
                             "k_shape: k expects 1 to 6 (curves), got 7");
  check_op_error<ValueError>([] { k_means(six(), {.k = 0}); },
                             "k_means: k expects 1 to 6 (curves), got 0");
  check_op_error<ValueError>(
      [] {
        k_shape(six(), {.k = 2, .initial = {1, 1}});
      },
      "k_shape: initial expects 2 different rows below 6");
  check_op_error<ValueError>([] { k_shape(six(), {.starts = 0}); },
                             "k_shape: starts and max_iterations expect >= 1, got 0 and 100");
}
