#include "cytograd/multimodal/drivers.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::multimodal;
using cluster::Curves;
using test::check_op_error;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

std::vector<double> times(int64_t points) {
  std::vector<double> t;
  for (int64_t i = 0; i < points; ++i)
    t.push_back(static_cast<double>(i) / static_cast<double>(points - 1));
  return t;
}

Curves drawn(Rng& rng, int64_t rows, int64_t length) {
  Curves out{rows, length, {}};
  for (int64_t i = 0; i < rows * length; ++i) out.values.push_back(rng.normal());
  return out;
}

// Each path has a level for each score, with little noise over t; the first `planted` genes follow
// score 0 with correlation r, the others levels of their own.
std::vector<PathCurves> planted_paths(int64_t count, int64_t genes, int64_t points, int64_t planted,
                                      double r) {
  std::vector<PathCurves> out;
  for (int64_t s = 0; s < count; ++s) {
    Rng rng(11, "paths", static_cast<uint64_t>(s));
    PathCurves path{{genes, points, {}}, {2, points, {}}};
    const double level = rng.normal(), other = rng.normal();
    for (int64_t m = 0; m < 2; ++m)
      for (int64_t t = 0; t < points; ++t)
        path.scores.values.push_back((m == 0 ? level : other) + 0.1 * rng.normal());
    for (int64_t g = 0; g < genes; ++g) {
      const double own = rng.normal();
      const double mean = g < planted ? r * level + std::sqrt(1 - r * r) * own : own;
      for (int64_t t = 0; t < points; ++t)
        path.genes.values.push_back(mean + 0.1 * rng.normal() + 0.02 * static_cast<double>(t));
    }
    out.push_back(path);
  }
  return out;
}

std::vector<Driver> drivers_of(const std::vector<PathCurves>& paths, const DriverOptions& options) {
  return find_drivers(paths[0].genes, paths[0].scores, times(paths[0].genes.length), paths,
                      options);
}

// By the definitions, over pairs of values that are there.
double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  double n = 0, mx = 0, my = 0, xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::isnan(y[i])) n += 1, mx += x[i], my += y[i];
  mx /= n;
  my /= n;
  for (size_t i = 0; i < x.size(); ++i)
    if (!std::isnan(y[i])) {
      xy += (x[i] - mx) * (y[i] - my);
      xx += (x[i] - mx) * (x[i] - mx);
      yy += (y[i] - my) * (y[i] - my);
    }
  return xy / std::sqrt(xx * yy);
}

// Mean Fisher z with the scores of path order[s] for path s; NaN where no t has 8 paths.
double slow_fisher(const std::vector<PathCurves>& paths, size_t gene, size_t score,
                   const std::vector<int32_t>& order) {
  const auto points = static_cast<size_t>(paths[0].genes.length);
  double sum = 0, terms = 0;
  for (size_t t = 0; t < points; ++t) {
    std::vector<double> x, y;
    int64_t valid = 0;
    for (size_t s = 0; s < paths.size(); ++s) {
      x.push_back(paths[s].genes.values[gene * points + t]);
      y.push_back(paths[static_cast<size_t>(order[s])].scores.values[score * points + t]);
      valid += std::isnan(y.back()) ? 0 : 1;
    }
    if (valid < 8) continue;
    sum += std::atanh(pearson(x, y) * (1 - 1e-6));
    ++terms;
  }
  return terms > 0 ? sum / terms : none;
}

bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

TEST_CASE("drivers: change, range, time of half the change") {
  const int64_t n = 11;  // a tenth is one point
  Curves fold{5, n, {}};
  for (int64_t i = 0; i < n; ++i) fold.values.push_back(static_cast<double>(i));  // ramp
  for (int64_t i = 0; i < n; ++i) fold.values.push_back(i < 3 ? 2.0 : 1.0);       // step down
  for (int64_t i = 0; i < n; ++i) fold.values.push_back(1 + 0.001 * static_cast<double>(i));
  for (int64_t i = 0; i < n; ++i) fold.values.push_back(i == 5 ? 3.0 : 1.0);  // peak
  for (int64_t i = 0; i < n; ++i) fold.values.push_back(i == 1 ? 3.0 : i == 10 ? 2.0 : 1.0);
  const std::vector<Driver> found = find_drivers(fold, {0, n, {}}, times(n), {});
  REQUIRE(found.size() == 5);
  CHECK(found[0].change == 10);
  CHECK(found[0].range == 10);
  CHECK(std::abs(found[0].half_time - 0.5) <= 1e-12);
  CHECK(found[1].change == -1);
  CHECK(std::abs(found[1].half_time - 0.25) <= 1e-12);  // between 0.2 and 0.3
  CHECK(std::isnan(found[2].half_time));                // flat
  CHECK(found[3].change == 0);
  CHECK(found[3].range == 2);
  CHECK(std::isnan(found[3].half_time));
  CHECK(std::abs(found[4].half_time - 0.025) <= 1e-12);  // the first of two crossings
  for (size_t g = 0; g < 5; ++g) CHECK(found[g].gene == static_cast<int64_t>(g));
}

TEST_CASE("drivers: Spearman's correlation along the mean path, with ties and gaps") {
  const Curves fold{2, 6, {1, 2, 2, 3, 5, 4, 1, 1, 1, 1, 1, 1}};
  const Curves scores{4, 6, {1,    1,    2,    2,    3,    3,  //
                             none, 6,    5,    4,    none, 3,  //
                             none, none, none, none, 1,    2,  //
                             7,    7,    7,    7,    7,    7}};
  const std::vector<Driver> found = find_drivers(fold, scores, times(6), {});
  // Ranks 1, 2.5, 2.5, 4, 6, 5 and 1.5, 1.5, 3.5, 3.5, 5.5, 5.5: products 15, squares 17 and 16.
  CHECK(std::abs(found[0].along[0] - 15 / std::sqrt(17.0 * 16.0)) <= 1e-12);
  // 2, 2, 3, 4 and 6, 5, 4, 3: ranks 1.5, 1.5, 3, 4 and 4, 3, 2, 1.
  CHECK(std::abs(found[0].along[1] + 4.5 / std::sqrt(4.5 * 5.0)) <= 1e-12);
  CHECK(std::isnan(found[0].along[2]));  // two points
  CHECK(std::isnan(found[0].along[3]));  // does not vary
  for (const double v : found[1].along) CHECK(std::isnan(v));
  for (const double v : found[0].across) CHECK(std::isnan(v));  // no paths
}

TEST_CASE("drivers: Benjamini and Hochberg by hand") {
  // Sorted .005 .01 .03 .04 .5 times 5 / rank: .025 .025 .05 .05 .5.
  const std::vector<double> q = benjamini_hochberg({.04, .01, none, .03, .5, .005});
  const std::vector<double> expected = {.05, .025, none, .05, .5, .025};
  for (size_t i = 0; i < q.size(); ++i) {
    CAPTURE(i);
    CHECK((std::isnan(expected[i]) ? std::isnan(q[i]) : std::abs(q[i] - expected[i]) <= 1e-12));
  }
  CHECK(benjamini_hochberg({}).empty());
  CHECK(std::isnan(benjamini_hochberg({none})[0]));
  CHECK(benjamini_hochberg({1, .9})[1] == 1);
}

TEST_CASE("drivers: planted genes are found") {
  const auto paths = planted_paths(24, 300, 12, 30, 0.8);
  const std::vector<Driver> found = drivers_of(paths, {});
  int64_t right = 0, wrong = 0, other = 0;
  double mean = 0;
  for (const Driver& driver : found) {
    if (driver.q[0] < 0.05) ++(driver.gene < 30 ? right : wrong);
    if (driver.q[1] < 0.05) ++other;
    if (driver.gene < 30) mean += driver.across[0] / 30;
  }
  CAPTURE(right);
  CAPTURE(wrong);
  CHECK(right >= 27);
  CHECK(static_cast<double>(wrong) <= 0.1 * static_cast<double>(right + wrong));
  CHECK(other <= 3);
  CHECK(std::abs(mean - 0.8) < 0.1);
}

TEST_CASE("drivers: correlations and p beside the plain way, scores missing here and there") {
  auto paths = planted_paths(12, 5, 4, 2, 0.9);
  for (size_t s = 0; s < 3; ++s) paths[s].scores.values[1] = none;      // score 0, t 1: 9 left
  for (size_t s = 4; s < 9; ++s) paths[s].scores.values[4 + 2] = none;  // score 1, t 2: 7 left
  DriverOptions options;
  options.permutations = 60;
  options.seed = 4;
  const std::vector<Driver> found = drivers_of(paths, options);
  std::vector<std::vector<int32_t>> orders(61);
  for (size_t c = 0; c < orders.size(); ++c) {
    for (int32_t s = 0; s < 12; ++s) orders[c].push_back(s);
    if (c > 0) Rng(4, "driver permutations", c).shuffle(orders[c]);
  }
  for (size_t g = 0; g < 5; ++g)
    for (size_t m = 0; m < 2; ++m) {
      const double observed = slow_fisher(paths, g, m, orders[0]);
      int64_t as_far = 0;
      for (size_t c = 1; c < orders.size(); ++c)
        as_far += std::abs(slow_fisher(paths, g, m, orders[c])) >= std::abs(observed) - 1e-9;
      CAPTURE(g);
      CAPTURE(m);
      CHECK(std::abs(found[g].across[m] - std::tanh(observed)) <= 1e-10);
      CHECK(std::abs(found[g].p[m] - static_cast<double>(1 + as_far) / 61) <= 1e-12);
    }
}

TEST_CASE("drivers: too few paths, or nothing that varies, has no value") {
  auto paths = planted_paths(8, 3, 4, 1, 0.9);
  for (size_t t = 0; t < 4; ++t) {
    paths[2].scores.values[4 + t] = none;                         // 7 paths have score 1
    for (PathCurves& path : paths) path.genes.values[4 + t] = 2;  // gene 1
  }
  const std::vector<Driver> found = drivers_of(paths, {});
  CHECK(std::isfinite(found[0].across[0]));
  CHECK(std::isfinite(found[2].q[0]));
  for (const Driver& driver : found) {
    CHECK(std::isnan(driver.across[1]));
    CHECK(std::isnan(driver.p[1]));
    CHECK(std::isnan(driver.q[1]));
  }
  CHECK(std::isnan(found[1].across[0]));
  CHECK(std::isnan(found[1].q[0]));
  paths.pop_back();
  for (const Driver& driver : drivers_of(paths, {})) CHECK(std::isnan(driver.p[0]));
}

TEST_CASE("drivers: a gene that is the score") {
  auto paths = planted_paths(10, 2, 5, 0, 0);
  for (PathCurves& path : paths)
    for (size_t t = 0; t < 5; ++t) {
      path.genes.values[t] = 3 + 2 * path.scores.values[t];
      path.genes.values[5 + t] = -path.scores.values[t];
    }
  const std::vector<Driver> found = drivers_of(paths, {});
  CHECK(std::abs(found[0].across[0] - 1) <= 2e-6);
  CHECK(std::abs(found[1].across[0] + 1) <= 2e-6);
  CHECK(std::abs(found[0].p[0] - 1.0 / 1001) <= 1e-12);
  CHECK(found[0].p[0] == found[1].p[0]);
}

TEST_CASE("drivers: the same bits for any number of threads, the same p for the same seed") {
  auto paths = planted_paths(9, 150, 6, 20, 0.7);
  paths[3].scores.values[2] = none;
  const auto all = [&paths](uint64_t seed) {
    DriverOptions options;
    options.permutations = 200;
    options.seed = seed;
    std::vector<double> out;
    for (const Driver& d : drivers_of(paths, options))
      for (const auto* v : {&d.across, &d.p, &d.q, &d.along})
        out.insert(out.end(), v->begin(), v->end());
    return out;
  };
  const int before = num_threads();
  set_num_threads(1);
  const std::vector<double> one = all(0);
  set_num_threads(3);
  const std::vector<double> three = all(0);
  set_num_threads(before);
  CHECK(same(one, three));
  CHECK(!same(one, all(1)));
}

TEST_CASE("drivers: sizes that disagree, values that are none") {
  Rng rng(1, "curves");
  const Curves fold = drawn(rng, 3, 4), scores = drawn(rng, 2, 4);
  check_op_error<ValueError>([&] { find_drivers(fold, scores, times(5), {}); },
                             "find_drivers: t expects 4 values, got 5");
  check_op_error<ValueError>(
      [&] {
        find_drivers(fold, scores, {0, .5, .5, 1}, {});
      },
      "find_drivers: t expects rising values, got 0.5 before 0.5");
  check_op_error<ValueError>([&] { find_drivers(fold, drawn(rng, 2, 3), times(4), {}); },
                             "find_drivers: scores of the mean path expect [2, 4], got [2, 3]");
  check_op_error<ValueError>(
      [&] {
        find_drivers(fold, scores, times(4), {{fold, scores}, {scores, scores}});
      },
      "find_drivers: genes of path 1 expect [3, 4], got [2, 4]");
  check_op_error<ValueError>(
      [&] {
        find_drivers(fold, scores, times(4), {{fold, fold}});
      },
      "find_drivers: scores of path 0 expect [2, 4], got [3, 4]");
  Curves endless = scores;
  endless.values[5] = std::numeric_limits<double>::infinity();
  check_op_error<ValueError>(
      [&] { find_drivers(fold, endless, times(4), {}); },
      "find_drivers: scores of the mean path expect numbers or NaN, got an infinite one");
  DriverOptions nothing;
  nothing.permutations = 0;
  check_op_error<ValueError>([&] { find_drivers(fold, scores, times(4), {}, nothing); },
                             "find_drivers: permutations expects at least 1, got 0");
}
