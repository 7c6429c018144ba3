// Agreement with scikit-learn; tests/reference/gaussian_process.py prints the header.
#include "gp/reference_expected.h"

#include "cytograd/gp/likelihood.h"
#include "cytograd/gp/regression.h"
#include "gp/gp_support.h"

using namespace cytograd;
using namespace cytograd::gp;
using test::check_close;

namespace {

Observations data() {
  constexpr int n = 25;
  std::vector<double> x, y;
  for (int i = 0; i < n; ++i) x.push_back((7 * i % n + .3 * std::sin(i)) / n);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < 2; ++k)
      y.push_back(std::sin(6 * x[static_cast<size_t>(i)] + k) + .1 * std::cos(3.7 * i + k));
  return {test::column(x), Tensor::from(y, {n, 2})};
}

void compare(const Kernel& kernel, const expected::Numbers& e) {
  const Observations seen = data();
  const Tensor values = kernel.log_values();
  values.set_requires_grad(true);
  const Tensor value = log_marginal_likelihood(kernel.covariance(seen.x, values), seen.y);
  check_close(value.item(), e.likelihood, 1e-9);
  value.backward();
  check_close(values.grad(), e.gradient, 1e-6);
  Regression model(kernel);
  model.condition(seen.x, seen.y);
  std::vector<double> queries;
  for (int q = 0; q < 6; ++q) queries.push_back(q / 4.0);
  const Prediction p = model.predict(test::column(queries));
  check_close(p.mean, e.mean, 1e-6);
  check_close(p.covariance, e.covariance, 1e-6);
  if (!has_lbfgs()) return;
  const FitReport report = model.fit(seen.x, seen.y, {.restarts = 20});
  // The same maximum; the searches of both stop where the likelihood has no more digits.
  check_close(report.log_marginal_likelihood, e.fitted_likelihood, 1e-6);
  for (size_t i = 0; i < report.parameters.size(); ++i) {
    CAPTURE(report.parameters[i].name);
    check_close(report.parameters[i].value, e.fitted[i], 1e-3);
  }
}

}  // namespace

TEST_CASE("gp: scikit-learn's numbers for RBF") {
  compare(constant(1.5) * rbf(.3) + white(.05), expected::rbf);
}
TEST_CASE("gp: scikit-learn's numbers for Matern kernels") {
  compare(constant(1.5) * matern(Smoothness::half, .3) + white(.05), expected::matern_half);
  compare(constant(1.5) * matern(Smoothness::three_halves, .3) + white(.05),
          expected::matern_three_halves);
  compare(constant(1.5) * matern(Smoothness::five_halves, .3) + white(.05),
          expected::matern_five_halves);
}
TEST_CASE("gp: scikit-learn's numbers for a sum with a linear kernel") {
  compare(linear(2) + constant(.5) * rbf(.2) + white(.05), expected::linear);
}
