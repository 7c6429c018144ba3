#include "cytograd/multimodal/drivers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "multimodal/path_correlation.h"

namespace cytograd::multimodal {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// Ranks from 1, equal values with the mean of theirs.
std::vector<double> ranks(const std::vector<double>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&x](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> out(x.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) out[order[i]] = static_cast<double>(begin + 1 + end) / 2;
    begin = end;
  }
  return out;
}

// Spearman's correlation over the points where y has a value; NaN for fewer than 3 or where either
// does not vary.
double spearman(std::span<const double> x, std::span<const double> y) {
  std::vector<double> a, b;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(y[i])) continue;
    a.push_back(x[i]);
    b.push_back(y[i]);
  }
  if (a.size() < 3) return none;
  a = ranks(a);
  b = ranks(b);
  const double mean = static_cast<double>(a.size() + 1) / 2;
  double product = 0, of_a = 0, of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += (a[i] - mean) * (b[i] - mean);
    of_a += (a[i] - mean) * (a[i] - mean);
    of_b += (b[i] - mean) * (b[i] - mean);
  }
  return of_a > 0 && of_b > 0 ? std::clamp(product / std::sqrt(of_a * of_b), -1.0, 1.0) : none;
}

double range_of(std::span<const double> f) {
  const auto bounds = std::minmax_element(f.begin(), f.end());
  return *bounds.second - *bounds.first;
}

// Where the curve first passes the middle between the mean of its first tenth and that of its last,
// linear between points.
double half_time(std::span<const double> f, std::span<const double> t) {
  const double change = cluster::rise(f);
  if (range_of(f) < cluster::GeneClusterOptions{}.flat_range || change == 0) return none;
  const size_t tenth = std::max<size_t>(1, f.size() / 10);
  const double first = std::accumulate(f.begin(), f.begin() + static_cast<int64_t>(tenth), 0.0) /
                       static_cast<double>(tenth);
  const double sign = change > 0 ? 1 : -1, middle = sign * (first + change / 2);
  for (size_t i = 0; i < f.size(); ++i) {
    if (sign * f[i] < middle) continue;
    if (i == 0) return t[0];
    const double before = sign * f[i - 1], here = sign * f[i];
    return t[i - 1] + (t[i] - t[i - 1]) * (middle - before) / (here - before);
  }
  return t.back();  // by rounding alone
}

void check_scores(const cluster::Curves& scores, int64_t rows, int64_t points,
                  const std::string& place) {
  check<ValueError>(scores.rows == rows && scores.length == points, "find_drivers", "scores of ",
                    place, " expect [", rows, ", ", points, "], got [", scores.rows, ", ",
                    scores.length, "]");
  check<ValueError>(static_cast<int64_t>(scores.values.size()) == rows * points, "find_drivers",
                    "scores of ", place, " expect ", rows * points, " values, got ",
                    scores.values.size());
  for (const double v : scores.values)
    check<ValueError>(!std::isinf(v), "find_drivers", "scores of ", place,
                      " expect numbers or NaN, got an infinite one");
}

void check_arguments(const cluster::Curves& fold, const cluster::Curves& scores,
                     const std::vector<double>& t, const std::vector<PathCurves>& paths,
                     const DriverOptions& options) {
  check<ValueError>(options.permutations >= 1, "find_drivers",
                    "permutations expects at least 1, got ", options.permutations);
  cluster::check_curves("find_drivers", fold);
  check<ValueError>(static_cast<int64_t>(t.size()) == fold.length, "find_drivers", "t expects ",
                    fold.length, " values, got ", t.size());
  for (size_t i = 1; i < t.size(); ++i)
    check<ValueError>(t[i - 1] < t[i], "find_drivers", "t expects rising values, got ", t[i - 1],
                      " before ", t[i]);
  check_scores(scores, scores.rows, fold.length, "the mean path");
  for (size_t s = 0; s < paths.size(); ++s) {
    const cluster::Curves& genes = paths[s].genes;
    check<ValueError>(genes.rows == fold.rows && genes.length == fold.length, "find_drivers",
                      "genes of path ", s, " expect [", fold.rows, ", ", fold.length, "], got [",
                      genes.rows, ", ", genes.length, "]");
    cluster::check_curves("find_drivers", genes);
    check_scores(paths[s].scores, scores.rows, fold.length, "path " + std::to_string(s));
  }
}

void add_tests(const std::vector<PathCurves>& paths, const DriverOptions& options, size_t scores,
               std::vector<Driver>& drivers) {
  if (paths.empty() || drivers.empty()) return;
  const std::vector<PathCorrelation> found = correlate_paths(paths, options);
  for (size_t m = 0; m < scores; ++m) {
    std::vector<double> p;
    for (size_t g = 0; g < drivers.size(); ++g) {
      const PathCorrelation& pair = found[g * scores + m];
      drivers[g].across[m] = pair.across;
      drivers[g].p[m] = pair.p;
      p.push_back(pair.p);
    }
    const std::vector<double> q = benjamini_hochberg(p);
    for (size_t g = 0; g < drivers.size(); ++g) drivers[g].q[m] = q[g];
  }
}

}  // namespace

std::vector<double> benjamini_hochberg(const std::vector<double>& p) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p.size(); ++i)
    if (!std::isnan(p[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&p](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> q(p.size(), none);
  const auto count = static_cast<double>(order.size());
  double least = 1;
  for (size_t rank = order.size(); rank > 0; --rank) {
    const size_t i = order[rank - 1];
    least = std::min(least, p[i] * count / static_cast<double>(rank));
    q[i] = least;
  }
  return q;
}

std::vector<Driver> find_drivers(const cluster::Curves& fold, const cluster::Curves& scores,
                                 const std::vector<double>& t, const std::vector<PathCurves>& paths,
                                 const DriverOptions& options) {
  check_arguments(fold, scores, t, paths, options);
  const auto m = static_cast<size_t>(scores.rows);
  std::vector<Driver> drivers(static_cast<size_t>(fold.rows));
  parallel_for(fold.rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      Driver& driver = drivers[static_cast<size_t>(g)];
      const std::span<const double> f = fold.row(g);
      driver.gene = g;
      driver.change = cluster::rise(f);
      driver.range = range_of(f);
      driver.half_time = half_time(f, t);
      for (int64_t k = 0; k < scores.rows; ++k) driver.along.push_back(spearman(f, scores.row(k)));
      driver.across.assign(m, none);
      driver.p.assign(m, none);
      driver.q.assign(m, none);
    }
  });
  add_tests(paths, options, m, drivers);
  return drivers;
}

}  // namespace cytograd::multimodal
