#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "cytograd/losses/adversary.h"
#include "cytograd/losses/boda.h"
#include "cytograd/losses/coral.h"
#include "cytograd/losses/focal.h"
#include "cytograd/ops/shape.h"

using namespace cytograd;
using namespace cytograd::losses;

/// @file
/// The losses of domain generalization beside plain PyTorch: what tests/reference/domain_losses.py
/// prints, values and projections of gradients.

namespace {

constexpr int64_t domains = 3, each = 4, width = 5, classes = 3, samples = domains * each;

Tensor table(int64_t rows, int64_t columns, double a, double b, double scale, Dtype dtype) {
  std::vector<double> values;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const auto i = static_cast<double>(row), k = static_cast<double>(column);
      values.push_back(scale * std::sin(a * i + b * k * k + 0.7 * i * k));
    }
  const Tensor out = Tensor::from(values, {rows, columns}).to(dtype);
  out.set_requires_grad(true);
  return out;
}

struct Case {
  explicit Case(Dtype dtype) : z(table(samples, width, 2.9, 1.3, 1.5, dtype)) {
    for (int64_t i = 0; i < samples; ++i) {
      d.push_back(i / each);
      y.push_back(i / each == 2 && i % classes == 1 ? 0 : i % classes);
      if (i % each == 0) features.push_back(slice(z, 0, i, i + each));
    }
    for (int64_t e = 0; e < domains; ++e)
      for (int64_t c = 0; c < classes; ++c)
        if (e != 2 || c != 1)
          pairs.push_back({e, c, static_cast<double>(3 + (7 * e + 5 * c) % 11)});
    std::vector<double> values;
    for (size_t p = 0; p < pairs.size(); ++p)
      for (int64_t k = 0; k < width; ++k)
        values.push_back(std::cos(1.7 * static_cast<double>(p) + 0.9 * static_cast<double>(k)));
    mu = Tensor::from(values, {static_cast<int64_t>(pairs.size()), width}).to(dtype);
  }
  Tensor boda_with(const BodaOptions& options) const {
    return boda(centroid_distance(z, mu), d, y, pairs, options);
  }
  Tensor z, mu;
  Tensors features;
  std::vector<int64_t> d, y;
  std::vector<DomainClass> pairs;
};

void check(const Tensor& value, const Tensors& inputs, const std::vector<double>& expected,
           double tolerance) {
  value.backward();
  double sine = 0, cosine = 0, at = 0;
  for (const Tensor& input : inputs)
    for (const double g : input.grad().to_vector<double>()) {
      sine += g * std::sin(1 + at);
      cosine += g * std::cos(2 * at);
      ++at;
    }
  const std::vector<double> found = {value.item(), sine, cosine};
  for (size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CAPTURE(found[i]);
    CHECK_FALSE(!(std::abs(found[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i]))));
  }
}

}  // namespace

TEST_CASE("losses of domains equal plain PyTorch: 1e-9 in float64, 1e-5 in float32") {
  for (const Dtype dtype : {Dtype::float64, Dtype::float32}) {
    CAPTURE(dtype == Dtype::float64);
    const double tolerance = dtype == Dtype::float64 ? 1e-9 : 1e-5;
    const auto on_features = [&](const std::function<Tensor(const Case&)>& loss,
                                 const std::vector<double>& expected) {
      const Case c(dtype);
      check(loss(c), {c.z}, expected, tolerance);
    };
    on_features([](const Case& c) { return coral(c.features); },
                {1.373585821132, 0.141277023096, -0.486568527434});
    on_features([](const Case& c) { return coral(c.features, CoralForm::covariance); },
                {0.193682838846, 0.027828524116, -0.166940958434});
    on_features([](const Case& c) { return c.boda_with({}); },
                {2.020826069633, -0.017540948900, 0.014451261458});
    on_features(
        [](const Case& c) { return c.boda_with({.nu = 0.9, .temperature = 0.3, .count_unit = 6}); },
        {11.467822984622, 0.131615890980, 0.465610788799});
    on_features([](const Case& c) { return c.boda_with({.reduction = BodaReduction::sum}); },
                {24.203940016853, -0.348091627931, 0.227703734522});
    on_features(
        [](const Case& c) { return focal(slice(c.z, 1, 0, classes), Tensor::from(c.y), 2); },
        {0.485027639194, -0.011518506143, -0.125633122996});
    for (const bool penalty : {false, true}) {
      const Case c(dtype);
      DomainClassifier net(width, domains, 4, 2);
      net.to(dtype);
      const Tensors values = {
          table(4, width, 1.1, 0.4, 0.8, dtype), table(1, 4, 0.3, 1.9, 0.5, dtype),
          table(domains, 4, 0.6, 0.8, 0.9, dtype), table(1, domains, 0.9, 0.2, 0.3, dtype)};
      Tensors weights;
      for (const auto& [name, tensor] : net.named_parameters()) {
        const NoGrad no_grad;
        tensor.copy_(reshape(values[weights.size()], tensor.shape()));
        weights.push_back(tensor);
      }
      const Tensor y = Tensor::from(c.d);
      if (penalty)
        check(net.gradient_penalty(c.z, y), {weights[0], weights[1], weights[2]},
              {1.016011288732, -0.485836439448, 0.951791343822}, tolerance);
      else
        check(cross_entropy(net.forward(c.z), y),
              {c.z, weights[0], weights[1], weights[2], weights[3]},
              {1.194930226556, -0.039534442546, -0.019689226659}, tolerance);
    }
  }
}
