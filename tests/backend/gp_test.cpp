#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/gp/likelihood.h"
#include "cytograd/gp/regression.h"
#include "cytograd/losses/alignment.h"

using namespace cytograd;

/// @file
/// Gaussian processes and alignment of latents on the device beside the CPU.

namespace {

Tensor normal(const Shape& shape, const char* name) {
  Rng rng(1, name);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = rng.normal();
  return Tensor::from(values, shape);
}

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double out = 0;
  for (size_t i = 0; i < a.size(); ++i)
    out = std::max(out, std::abs(a[i] - b[i]) / std::max(1.0, std::abs(a[i])));
  return out;
}

}  // namespace

// 140 observations: more than one block of the inverse.
TEST_CASE("gp on the device equals the CPU's: likelihood, gradient, prediction, samples") {
  const gp::Kernel kernel =
      gp::constant(1.5) * (gp::rbf(.7) + gp::matern(gp::Smoothness::five_halves, .5)) +
      gp::linear(.3) + gp::white(.1);
  const Tensor x = normal({140, 2}, "x"), y = normal({140, 3}, "y"), queries = normal({19, 2}, "q");
  const auto results = [&](Device device) {
    const Tensor values = kernel.log_values(device);
    values.set_requires_grad(true);
    const Tensor likelihood =
        gp::log_marginal_likelihood(kernel.covariance(x.to(device), values), y.to(device));
    likelihood.backward();
    gp::Regression model(kernel);
    model.condition(x.to(device), y.to(device));
    const gp::Prediction p = model.predict(queries.to(device));
    std::vector<double> out = values.grad().to_vector<double>();
    for (const Tensor& t : {likelihood, p.mean, p.covariance, gp::draw(p, 3, 1)}) {
      const auto more = t.detach().to_vector<double>();
      out.insert(out.end(), more.begin(), more.end());
    }
    return out;
  };
  CHECK(apart(results({}), results(Device::cuda())) < 1e-9);
}

TEST_CASE("gp on the device: a covariance without a factor gets jitter, then an error") {
  const gp::Kernel kernel = gp::rbf(.3);
  gp::Regression model(kernel);
  const Tensor x = Tensor::from<double>({0, 0, 1}, {3, 1}).to(Device::cuda());
  model.condition(x, Tensor::ones({3, 1}, Dtype::float64, Device::cuda()));
  CHECK(model.jitter() == 1e-10);
  const Tensor indefinite = Tensor::from<double>({1, 2, 2, 1}, {2, 2}).to(Device::cuda());
  CHECK_THROWS_AS(gp::factor(indefinite), ValueError);
}

TEST_CASE("alignment of latents on the device equals the CPU's") {
  const Tensor z = normal({23, 6}, "z"), other = normal({17, 6}, "other");
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 23; ++i) labels.push_back(i % 2);
  const auto results = [&](Device device, bool kernel) {
    const Tensor leaf = z.to(device).clone();
    leaf.set_requires_grad(true);
    const Tensor fixed = other.to(device);
    Tensor value;
    if (kernel) {
      value = losses::kernel_mmd(leaf, fixed);
    } else {
      const losses::ClassMoments target = losses::posterior_moments(fixed, fixed * 0.1);
      value = losses::class_alignment(leaf, labels, {{{0}, .5, target}, {{1}, 2, target}}).value;
    }
    value.backward();
    std::vector<double> out = leaf.grad().to_vector<double>();
    out.push_back(value.item());
    return out;
  };
  for (const bool kernel : {false, true}) {
    CAPTURE(kernel);
    CHECK(apart(results({}, kernel), results(Device::cuda(), kernel)) < 1e-11);
  }
}
