#include "cytograd/losses/detection.h"

#include <doctest/doctest.h>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/core/random.h"

using namespace cytograd;
using namespace cytograd::losses;

namespace {

Tensor one(double value) { return Tensor::full({1}, value, Dtype::float64); }

}  // namespace

TEST_CASE("binary cross-entropy of logits") {
  CHECK(binary_cross_entropy_sum(one(2), one(1)).item() == doctest::Approx(0.126928).epsilon(1e-5));
  CHECK(binary_cross_entropy_sum(one(-1), one(1)).item() ==
        doctest::Approx(1.313262).epsilon(1e-6));
  CHECK(binary_cross_entropy_sum(one(100), one(0)).item() == 100);
  CHECK(binary_cross_entropy_sum(one(100), one(1)).item() == doctest::Approx(0));
  CHECK(binary_cross_entropy_sum(Tensor::zeros({0}), Tensor::zeros({0})).item() == 0);
  CHECK_THROWS_AS(binary_cross_entropy_sum(Tensor::zeros({2}), Tensor::zeros({3})), ShapeError);
}

TEST_CASE("smooth L1") {
  const double beta = 1.0 / 9;
  CHECK(smooth_l1_sum(one(0.05), one(0), beta).item() == doctest::Approx(0.01125));
  CHECK(smooth_l1_sum(one(0.3), one(0), beta).item() == doctest::Approx(0.244444).epsilon(1e-5));
  CHECK(smooth_l1_sum(one(-1), one(0), beta).item() == doctest::Approx(0.944444).epsilon(1e-6));
  const Tensor deltas = Tensor::from<double>({.1, -.2, .05, .4}, {1, 4});
  CHECK(smooth_l1_sum(deltas, Tensor::zeros_like(deltas), beta).item() ==
        doctest::Approx(0.545139).epsilon(1e-5));
  CHECK(smooth_l1_sum(Tensor::zeros({0, 4}), Tensor::zeros({0, 4}), beta).item() == 0);
  CHECK_THROWS_AS(smooth_l1_sum(one(1), one(1), 0), ValueError);
  CHECK_THROWS_AS(smooth_l1_sum(one(1), Tensor::zeros({2}), 1), ShapeError);
}

TEST_CASE("gradients of the detection losses") {
  Rng rng(4, "detection losses");
  std::vector<double> x(12), y(12);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = rng.uniform(-2, 2);
    y[i] = rng.uniform();
  }
  const Tensor target = Tensor::from(y, {3, 4});
  const auto passes = [&](auto&& f) {
    const GradCheck found = gradcheck(f, {Tensor::from(x, {3, 4})});
    CAPTURE(found.place);
    CHECK(found.passed(1e-6));
  };
  passes([&](const Tensors& in) { return binary_cross_entropy_sum(in[0], target); });
  passes([&](const Tensors& in) { return smooth_l1_sum(in[0], target, 1.0 / 9); });
}
