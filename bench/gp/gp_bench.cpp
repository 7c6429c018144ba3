// Times one fit from one start, and one prediction, of a Gaussian process.
//   bench_gp OBSERVATIONS OUTPUTS QUERIES
// Prints one JSON object. bench/peers/trajectory_peer.py sets it beside scikit-learn.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cytograd/core/error.h"
#include "cytograd/gp/regression.h"

using namespace cytograd;

namespace {

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The rows of bench/peers/trajectory_peer.py.
gp::Observations waves(int64_t n, int64_t outputs) {
  std::vector<double> x, y;
  for (int64_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(n);
    x.push_back(t);
    for (int64_t k = 0; k < outputs; ++k)
      y.push_back(std::sin(6 * t + static_cast<double>(k)) +
                  .1 * std::sin(1000.0 * t * static_cast<double>(k + 1) + 37.0 * t * t));
  }
  return {Tensor::from(x, {n, 1}), Tensor::from(y, {n, outputs})};
}

int run(int64_t n, int64_t outputs, int64_t queries) {
  const gp::Observations seen = waves(n, outputs);
  std::vector<double> at;
  for (int64_t i = 0; i < queries; ++i)
    at.push_back(static_cast<double>(i) / static_cast<double>(queries));
  gp::Regression model(gp::constant(1) * gp::rbf(0.3) + gp::white(0.1));
  const double begin = seconds();
  const gp::FitReport report = model.fit(seen.x, seen.y, {.restarts = 0});
  const double fitted = seconds();
  const gp::Prediction p = model.predict(Tensor::from(at, {queries, 1}));
  const double done = seconds();
  std::printf(
      "{\"fit\": %.4f, \"predict\": %.4f, \"evaluations\": %lld, \"likelihood\": %.9g, "
      "\"first_mean\": %.9g}\n",
      fitted - begin, done - fitted, static_cast<long long>(report.evaluations),
      report.log_marginal_likelihood, p.mean.to_vector<double>()[0]);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_gp OBSERVATIONS OUTPUTS QUERIES\n", stderr);
    return 2;
  }
  try {
    return run(std::atoll(argv[1]), std::atoll(argv[2]), std::atoll(argv[3]));
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
