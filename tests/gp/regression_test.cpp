#include "cytograd/gp/regression.h"

#include <limits>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/core/random.h"
#include "cytograd/gp/likelihood.h"
#include "cytograd/ops/cholesky.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "gp/gp_support.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::gp;
using test::check_close;
using test::check_op_error;
using test::column;

namespace {

constexpr double six_digits = 6e-7;

const Tensor& times() {
  static const Tensor t = column({0, .5, 1});
  return t;
}
Tensor two_outputs() { return Tensor::from<double>({1, 0, 2, 1, 0, 3}, {3, 2}); }

Kernel small_noise() { return constant(1) * rbf(.3, {.01, 10}) + white(.01, {1e-6, 1}); }

// A smooth curve in three outputs, seen with noise.
Observations noisy_waves(int64_t n, uint64_t seed) {
  Rng rng(seed, "waves");
  std::vector<double> x, y;
  for (int64_t i = 0; i < n; ++i) {
    x.push_back(rng.uniform());
    for (int k = 0; k < 3; ++k) y.push_back(std::sin(5 * x.back() + k) + .1 * rng.normal());
  }
  return {column(x), Tensor::from(y, {n, 3})};
}

}  // namespace

TEST_CASE("gp: factor, predictions and likelihood of three observations") {
  Regression model(small_noise());
  model.condition(times(), two_outputs());
  CHECK(model.jitter() == 0);
  check_close(model.chol(), {1.004988, 0, 0, .248115, .973878, 0, .003847, .255060, .972075},
              six_digits);
  const Prediction p = model.predict(column({.25, .75, 1.5}));
  check_close(p.mean, {1.731450, .276717, 1.072779, 2.252730, -.114527, .723684}, six_digits);
  check_close(p.covariance,
              {.196776, -.117363, .023793, -.117363, .196776, -.096678, .023793, -.096678, .934717},
              six_digits);
  check_close(model.log_marginal_likelihood(), -12.136958, six_digits);
  const auto alone = [](const std::vector<double>& y) {
    Regression one(small_noise());
    one.condition(times(), column(y));
    return one.log_marginal_likelihood();
  };
  check_close(alone({1, 2, 0}), -4.935717, six_digits);
  check_close(alone({0, 1, 3}), -7.201241, six_digits);
}

TEST_CASE("gp: gradient of the likelihood in the logarithms of the parameters") {
  const Kernel kernel = small_noise();
  const Tensor values = kernel.log_values();
  values.set_requires_grad(true);
  const Tensor y = two_outputs();
  const Tensor likelihood = log_marginal_likelihood(kernel.covariance(times(), values), y);
  check_close(likelihood.item(), -12.136958, six_digits);
  likelihood.backward();
  check_close(values.grad(), {3.690932, 1.336279, .032027}, six_digits);
}

TEST_CASE("gp: the likelihood's rule beside differences and beside recorded operations") {
  const Observations data = noisy_waves(7, 3);
  for (const Kernel& kernel :
       {constant(2) * rbf(.4) + white(.05), matern(Smoothness::five_halves, .6) + white(.05),
        matern(Smoothness::half, .6) * linear(2) + white(.2)}) {
    const GradCheck slopes = gradcheck(
        [&](const Tensors& in) {
          return log_marginal_likelihood(kernel.covariance(data.x, in[0]), in[1]);
        },
        {kernel.log_values(), data.y});
    INFO(slopes.place);
    CHECK(slopes.passed(1e-6));
  }
  // -1/2 |L^-1 y|^2 - K sum ln L_ii, differentiated through the factor.
  const Kernel kernel = constant(2) * rbf(.4) + white(.05);
  const auto gradient = [&](bool ours) {
    const Tensor values = kernel.log_values();
    values.set_requires_grad(true);
    const Tensor a = kernel.covariance(data.x, values);
    if (ours) {
      log_marginal_likelihood(a, data.y).backward();
    } else {
      const Tensor l = cholesky(a);
      const Tensor unit = Tensor::zeros({7, 7}, Dtype::float64);
      for (int64_t i = 0; i < 7; ++i) unit.as_strided({1}, {1}, i * 8).fill_(1);
      const Tensor diagonal = matmul(l * unit, Tensor::ones({7, 1}, Dtype::float64));
      (sum(square(triangular_solve(l, data.y))) * -0.5 - sum(log(diagonal)) * 3.0).backward();
    }
    return values.grad().to_vector<double>();
  };
  check_close(Tensor::from(gradient(true)), gradient(false), 1e-9);
}

TEST_CASE("gp: the likelihood's gradient in the covariance, for several blocks of the inverse") {
  constexpr int64_t n = 300;
  const Observations data = noisy_waves(n, 5);
  const Kernel kernel = constant(2) * rbf(.4) + white(.05);
  const Tensor a = kernel.covariance(data.x, kernel.log_values());
  a.set_requires_grad(true);
  log_marginal_likelihood(a, data.y).backward();
  const Tensor unit = Tensor::zeros({n, n}, Dtype::float64);
  for (int64_t i = 0; i < n; ++i) unit.as_strided({1}, {1}, i * (n + 1)).fill_(1);
  const Tensor chol = factor(a.detach()).chol, alpha = solve(chol, data.y);
  const Tensor slow = (matmul(alpha, transpose(alpha, 0, 1)) - solve(chol, unit) * 3.0) * 0.5;
  check_close(a.grad(), slow.to_vector<double>(), 1e-9);
}

TEST_CASE("gp: a fit reaches the optimum within its bounds" * doctest::skip(!has_lbfgs())) {
  Regression model(small_noise());
  const FitReport report = model.fit(times(), two_outputs());
  check_close(report.log_marginal_likelihood, -10.575671, six_digits);
  check_close(report.parameters[0].value, 2.514779, 5e-6);
  check_close(report.parameters[1].value, .436856, 5e-6);
  CHECK(report.parameters[2].value == 1e-6);
  CHECK(report.at_bound == std::vector<std::string>{"noise"});
  CHECK(report.notes.empty());
  CHECK(report.evaluations > 11);
  const FitReport again = Regression(small_noise()).fit(times(), two_outputs());
  CHECK(again.log_marginal_likelihood == report.log_marginal_likelihood);
  CHECK(again.parameters[1].value == report.parameters[1].value);
}

TEST_CASE("gp: Adam in the place of L-BFGS comes close") {
  Regression model(small_noise());
  const FitReport report = model.fit(times(), two_outputs(), {.optimizer = Optimizer::adam});
  check_close(report.log_marginal_likelihood, -10.575671, 1e-3);
}

TEST_CASE("gp: what is fixed stays" * doctest::skip(!has_lbfgs())) {
  Regression model(small_noise().with_fixed("noise").with_fixed("outputscale"));
  const FitReport report = model.fit(times(), two_outputs(), {.restarts = 2});
  CHECK(report.parameters[0].value == 1);
  CHECK(report.parameters[2].value == .01);
  CHECK(report.parameters[1].value != .3);
  Regression all(
      small_noise().with_fixed("noise").with_fixed("outputscale").with_fixed("lengthscale"));
  const FitReport none = all.fit(times(), two_outputs());
  CHECK(none.evaluations == 1);
  check_close(none.log_marginal_likelihood, -12.136958, six_digits);
}

TEST_CASE("gp: weights of two observations") {
  // With y = (1, 0) the mean is the weight of the first, with (0, 1) that of the second.
  const auto weights = [](double lengthscale, double t) {
    Regression model(rbf(lengthscale) + white(1e-10, {1e-10, 1}));
    model.condition(column({0, 1}), Tensor::from<double>({1, 0, 0, 1}, {2, 2}));
    const Prediction p = model.predict(column({t}));
    std::vector<double> out = p.mean.to_vector<double>();
    out.push_back(p.covariance.item());
    return Tensor::from(out);
  };
  check_close(weights(.5, .25), {.854205, .209048, .178298}, six_digits);
  check_close(weights(.5, .5), {.534230, .534230, .351946}, six_digits);
  check_close(weights(1, .5), {.549318, .549318, .030456}, six_digits);
  const auto narrow = weights(.1, .5).to_vector<double>();
  check_close(narrow[0], .000004, six_digits);
  CHECK(std::abs(narrow[0] - narrow[1]) < 1e-9);
  const auto wide = weights(10, .5).to_vector<double>();
  check_close(wide[0], .500624, six_digits);
}

TEST_CASE("gp: the mean goes through observations without noise, and mirrors with them") {
  const std::vector<double> t = {0, .2, .7, 1}, y = {1, -1, 2, .5};
  Regression model(rbf(.3) + white(1e-8));
  model.condition(column(t), column(y));
  const Prediction at = model.predict(column(t));
  check_close(at.mean, y, 1e-6);
  for (const double v : at.covariance.to_vector<double>()) CHECK(std::abs(v) < 2e-8);
  Regression mirrored(rbf(.3) + white(1e-8));
  mirrored.condition(column({0, .3, .8, 1}), column({.5, 2, -1, 1}));
  check_close(mirrored.predict(column({.9, .4})).mean,
              model.predict(column({.1, .6})).mean.to_vector<double>(), 1e-9);
}

TEST_CASE("gp: repeated inputs need jitter where there is no noise, and say so") {
  Regression model(rbf(.3));
  model.condition(column({0, 0, 1}), column({1, 1, 0}));
  CHECK(model.jitter() == 1e-10);
  check_close(model.predict(column({0})).mean.item(), 1, 1e-6);
  const FitReport report = model.fit(column({0, 0, 1}), column({1, 1, 0}),
                                     {.optimizer = Optimizer::adam, .restarts = 0});
  CHECK(report.notes.size() == 1);
}

TEST_CASE("gp: samples follow mean and covariance") {
  Regression model(small_noise());
  model.condition(times(), two_outputs());
  const Prediction p = model.predict(column({.25, .75, 1.5}));
  constexpr int64_t count = 10000;
  const Tensor draws = draw(p, count, 5);
  CHECK(draws.shape() == Shape{count, 3, 2});
  const auto values = draws.to_vector<double>(), mean = p.mean.to_vector<double>(),
             covariance = p.covariance.to_vector<double>();
  for (size_t at = 0; at < 6; ++at) {
    double sum = 0, squares = 0;
    for (size_t s = 0; s < count; ++s) {
      const double d = values[s * 6 + at] - mean[at];
      sum += d;
      squares += d * d;
    }
    const double variance = covariance[at / 2 * 4];
    CAPTURE(at);
    CHECK(std::abs(sum / count) <= 4 * std::sqrt(variance / count));
    CHECK(std::abs(squares / count - variance) <= 4 * variance * std::sqrt(2.0 / count));
  }
  double product = 0;  // of output 0 at queries 0 and 1
  for (size_t s = 0; s < count; ++s)
    product += (values[s * 6] - mean[0]) * (values[s * 6 + 2] - mean[2]) / count;
  CHECK(std::abs(product - covariance[1]) <=
        4 * std::sqrt((covariance[0] * covariance[4] + covariance[1] * covariance[1]) / count));
  // Sample s depends on the seed and s alone.
  const auto few = draw(p, 3, 5).to_vector<double>();
  for (size_t i = 0; i < few.size(); ++i) CHECK(std::abs(few[i] - values[i]) < 1e-12);
  CHECK(draw(p, 1, 6).to_vector<double>()[0] != values[0]);
}

TEST_CASE("gp: samples where there is no variance are the mean") {
  const Prediction still{Tensor::from<double>({1, 2, 3, 4}, {2, 2}),
                         Tensor::zeros({2, 2}, Dtype::float64)};
  CHECK(draw(still, 2, 1).to_vector<double>() == std::vector<double>{1, 2, 3, 4, 1, 2, 3, 4});
}

TEST_CASE("gp: covariances are symmetric, their factors exist, results do not depend on threads") {
  const Observations data = noisy_waves(60, 1);
  std::vector<double> grid;
  for (int i = 0; i < 100; ++i) grid.push_back(i / 99.0);
  const Kernel kernel = constant(1) * rbf(.3) + white(.01);
  CHECK(test::same_for_any_threads([&] {
    Regression model(kernel);
    model.condition(data.x, data.y);
    const Prediction p = model.predict(column(grid));
    std::vector<double> out = p.mean.to_vector<double>();
    const auto more = p.covariance.to_vector<double>(), draws = draw(p, 3, 1).to_vector<double>();
    out.insert(out.end(), more.begin(), more.end());
    out.insert(out.end(), draws.begin(), draws.end());
    return out;
  }));
  Regression model(kernel);
  model.condition(data.x, data.y);
  const auto c = model.predict(column(grid)).covariance.to_vector<double>();
  for (size_t i = 0; i < 100; ++i) {
    CHECK(c[i * 101] >= 0);
    for (size_t j = 0; j < i; ++j) CHECK(std::abs(c[i * 100 + j] - c[j * 100 + i]) < 1e-14);
  }
}

TEST_CASE("gp: a batch of fits is the fits one by one" * doctest::skip(!has_lbfgs())) {
  std::vector<Observations> problems;
  std::vector<Regression> models;
  for (uint64_t i = 0; i < 3; ++i) {
    problems.push_back(noisy_waves(12 + static_cast<int64_t>(i), i));
    models.emplace_back(constant(1) * rbf(.3) + white(.1));
  }
  const auto reports = fit(models, problems, {.restarts = 2, .seed = 9});
  REQUIRE(reports.size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    Regression alone(constant(1) * rbf(.3) + white(.1));
    const FitReport one = alone.fit(problems[i].x, problems[i].y, {.restarts = 2, .seed = 9 + i});
    CHECK(one.log_marginal_likelihood == reports[i].log_marginal_likelihood);
    CHECK(models[i].kernel().parameters()[1].value == one.parameters[1].value);
    CHECK(reports[i].parameters[2].value < .05);  // the noise is .01
  }
  check_op_error<ShapeError>([&] { fit(models, {problems[0]}); },
                             "gp fit: expects 1 models, got 3");
}

TEST_CASE("gp: bad observations and calls out of order") {
  Regression model(small_noise());
  const Tensor y = two_outputs();
  check_op_error<StateError>([&] { model.predict(times()); },
                             "gp regression: condition or fit comes before predict");
  check_op_error<ShapeError>(
      [&] {
        model.condition(Tensor::zeros({0, 1}, Dtype::float64), y);
      },
      "gp regression: x expects [N, D] with N >= 1, got [0, 1]");
  check_op_error<ShapeError>(
      [&] {
        model.condition(times(), column({1, 2}));
      },
      "gp regression: y expects [3, K] with K >= 1, got [2, 1]");
  check_op_error<DtypeError>([&] { model.condition(times(), y.to(Dtype::float32)); },
                             "gp regression: expects float64, got float32");
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    check_op_error<ValueError>(
        [&] {
          model.condition(times(), column({1, bad, 2}));
        },
        "gp regression: y expects finite values, got NaN or infinity");
  check_op_error<ValueError>([&] { model.fit(times(), y, {.restarts = -1}); },
                             "gp regression: restarts expects >= 0, got -1");
  model.condition(times(), y);
  check_op_error<ShapeError>(
      [&] {
        model.predict(Tensor::zeros({2, 2}, Dtype::float64));
      },
      "gp kernel: expects inputs [N, D] and [M, D], got [3, 1] and [2, 2]");
  check_op_error<ValueError>([&] { draw(model.predict(times()), 0, 1); },
                             "gp draw: count expects >= 1, got 0");
  CHECK(model.predict(Tensor::zeros({0, 1}, Dtype::float64)).mean.shape() == Shape{0, 2});
  const Tensor indefinite = Tensor::from<double>({1, 2, 2, 1}, {2, 2});
  CHECK_THROWS_AS(factor(indefinite), ValueError);
  CHECK_THROWS_AS(log_marginal_likelihood(Tensor::zeros({2, 3}, Dtype::float64), y), ShapeError);
}

TEST_CASE("gp: the box of a search") {
  const Objective hill = [](const std::vector<double>& at, std::vector<double>& slope) {
    slope[0] = -2 * (at[0] - 3);
    return -(at[0] - 3) * (at[0] - 3);
  };
  check_op_error<ValueError>([&] { maximise(hill, {5}, {0}, {2}, Optimizer::adam); },
                             "maximise: start 0 expects 0 to 2, got 5");
  CHECK(maximise(hill, {1}, {0}, {2}, Optimizer::adam).at[0] == 2);
  if (has_lbfgs()) {
    CHECK(maximise(hill, {1}, {0}, {2}).at[0] == 2);
    check_close(maximise(hill, {1}, {0}, {9}).at[0], 3, 1e-6);
    CHECK_THROWS_AS(
        maximise([](const std::vector<double>&,
                    std::vector<double>&) -> double { throw StateError("thrown inside"); },
                 {1}, {0}, {2}),
        StateError);
  } else {
    CHECK_THROWS_AS(maximise(hill, {1}, {0}, {2}), StateError);
  }
}
