#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/guided/classifiers.h"

namespace cytograd {
namespace {

// Four chains, so that additions do not wait for each other.
double dot(const double* a, const double* b, int64_t n) {
  double sums[4] = {};
  int64_t k = 0;
  for (; k + 4 <= n; k += 4)
    for (int l = 0; l < 4; ++l) sums[l] += a[k + l] * b[k + l];
  for (; k < n; ++k) sums[0] += a[k] * b[k];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace

SvmSolution solve_svm(const std::vector<double>& x, int64_t width,
                      const std::vector<uint8_t>& positive, double c, uint64_t seed,
                      double tolerance, int64_t max_passes) {
  const auto n = static_cast<int64_t>(positive.size());
  check<ShapeError>(static_cast<int64_t>(x.size()) == n * width, "svm", "expects ", n, " rows of ",
                    width, ", got ", x.size(), " values");
  check<ValueError>(c > 0 && std::isfinite(c), "svm", "c expects a number above 0, got ", c);
  SvmSolution out;
  out.weight.assign(static_cast<size_t>(width + 1), 0);
  double* w = out.weight.data();
  std::vector<double> alpha(static_cast<size_t>(n)), square(static_cast<size_t>(n));
  const double slack = 1 / (2 * c);
  for (int64_t i = 0; i < n; ++i)
    square[static_cast<size_t>(i)] =
        dot(x.data() + i * width, x.data() + i * width, width) + 1 + slack;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  Rng rng(seed, "svm");
  while (out.passes < max_passes && !out.converged) {
    ++out.passes;
    rng.shuffle(order);
    double high = -std::numeric_limits<double>::infinity(), low = -high;
    for (const int64_t i : order) {
      const double* row = x.data() + i * width;
      const double t = positive[static_cast<size_t>(i)] ? 1 : -1;
      double& a = alpha[static_cast<size_t>(i)];
      const double slope = t * (dot(w, row, width) + w[width]) - 1 + a * slack;
      // At the bound 0 only a negative slope can still move alpha.
      const double projected = a == 0 ? std::min(slope, 0.0) : slope;
      high = std::max(high, projected);
      low = std::min(low, projected);
      if (projected == 0) continue;
      const double before = a;
      a = std::max(a - slope / square[static_cast<size_t>(i)], 0.0);
      const double step = (a - before) * t;
      for (int64_t k = 0; k < width; ++k) w[k] += step * row[k];
      w[width] += step;
    }
    out.converged = high - low < tolerance;
  }
  out.objective = 0.5 * dot(w, w, width + 1);
  for (int64_t i = 0; i < n; ++i) {
    const double t = positive[static_cast<size_t>(i)] ? 1 : -1;
    const double h = std::max(0.0, 1 - t * (dot(w, x.data() + i * width, width) + w[width]));
    out.objective += c * h * h;
  }
  return out;
}

}  // namespace cytograd
