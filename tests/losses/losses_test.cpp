#include <cmath>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/losses/cosine.h"
#include "cytograd/losses/gaussian_kl.h"
#include "cytograd/losses/reconstruction.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::losses;
using test::check_op_error;

namespace {

constexpr double half_digit = 5e-7;  // expected values have six digits after the point

void check_near(double actual, double expected, double tolerance = half_digit) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

Tensor leaf(const std::vector<double>& values, const Shape& shape) {
  Tensor out = Tensor::from(values, shape);
  out.set_requires_grad(true);
  return out;
}

std::vector<double> wave(int64_t count, double phase) {
  std::vector<double> out(static_cast<size_t>(count));
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::sin(1.7 * static_cast<double>(i) + phase);
  return out;
}

void check_gradients(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs) {
  const GradCheck result = gradcheck(f, inputs);
  INFO(result.place);
  CHECK(result.passed(1e-6));
}

}  // namespace

TEST_CASE("gaussian_kl: value and gradient by hand") {
  const Tensor mu = leaf({.5, -1, 0}, {1, 3}), log_var = leaf({0, -.5, 1}, {1, 3});
  const Tensor kl = gaussian_kl(mu, log_var);
  check_near(kl.item(), 1.037406);
  kl.backward();
  CHECK(mu.grad().to_vector<double>() == std::vector<double>{.5, -1, 0});
  const auto slopes = log_var.grad().to_vector<double>();
  check_near(slopes[0], 0);
  check_near(slopes[1], -0.196735);
  check_near(slopes[2], 0.859141);
}

TEST_CASE("gaussian_kl: a mean over the batch, never negative, exact near 0") {
  const Tensor mu = Tensor::from(wave(12, 0), {4, 3}), log_var = Tensor::from(wave(12, 1), {4, 3});
  double sum = 0;
  for (int row = 0; row < 4; ++row) {
    const auto part = [row](const Tensor& x) { return x.as_strided({1, 3}, {3, 1}, 3 * row); };
    sum += gaussian_kl(part(mu), part(log_var)).item();
  }
  check_near(gaussian_kl(mu, log_var).item(), sum / 4, 1e-14);
  check_near(gaussian_kl(Tensor::zeros({2, 5}), Tensor::zeros({2, 5})).item(), 0, 0);
  // 1e-8 / 4; exp(x) - 1 - x in float32 gives 8.3e-9.
  check_near(gaussian_kl(Tensor::zeros({1, 1}), Tensor::full({1, 1}, 1e-4)).item(), 2.5e-9, 2e-11);
  check_gradients([](const Tensors& in) { return gaussian_kl(in[0], in[1]); }, {mu, log_var});
  check_op_error<ShapeError>(
      [&] {
        gaussian_kl(mu, Tensor::zeros({4, 2}, Dtype::float64));
      },
      "gaussian_kl: expects mu and log_var of one shape [B, D], got "
      "[4, 3] and [4, 2]");
}

TEST_CASE("masked_image_error: every reduction by hand") {
  const Tensor image = Tensor::from<double>({.2, .8, .5, 1}, {1, 2, 2, 1});
  const Tensor recon = leaf({.3, .5, .9, 0}, {1, 2, 2, 1});
  const Tensor mask = Tensor::from<double>({1, .5, 0, 1}, {1, 2, 2, 1});
  const Tensor sum_error = masked_image_error(recon, image, mask);
  check_near(sum_error.item(), 1.0325, 1e-15);
  check_near(masked_image_error(recon, image, mask, ImageReduction::mean).item(), 0.258125, 1e-15);
  check_near(masked_image_error(recon, image, mask, ImageReduction::masked_mean).item(), 0.458889);
  sum_error.backward();
  const auto slopes = recon.grad().to_vector<double>();
  const double expected[] = {.2, -.15, 0, -2};
  for (size_t i = 0; i < 4; ++i) check_near(slopes[i], expected[i], 1e-15);
}

TEST_CASE("masked_image_error: per image, empty masks, gradients") {
  const Tensor image = Tensor::from(wave(2 * 3 * 4 * 3, 0), {2, 3, 4, 3});
  const Tensor recon = Tensor::from(wave(2 * 3 * 4 * 3, 1), {2, 3, 4, 3});
  const Tensor mask = Tensor::from(wave(2 * 3 * 4, 2), {2, 3, 4, 1});
  const Tensor empty = Tensor::zeros({2, 3, 4, 1}, Dtype::float64);
  const double all = squared_error(recon, image, mask).item();
  check_near(masked_image_error(recon, image, mask).item(), all / 2, 1e-14);
  for (const auto reduction :
       {ImageReduction::sum, ImageReduction::mean, ImageReduction::masked_mean}) {
    check_near(masked_image_error(recon, image, empty, reduction).item(), 0, 0);
    check_gradients(
        [&](const Tensors& in) { return masked_image_error(in[0], image, mask, reduction); },
        {recon});
  }
}

TEST_CASE("mean_squared_error: value, gradients, errors") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  const Tensor y = Tensor::from<double>({1, 0, 6, 4}, {2, 2});
  check_near(mean_squared_error(x, y).item(), 13.0 / 4, 0);
  check_gradients([](const Tensors& in) { return mean_squared_error(in[0], in[1]); }, {x, y});
  CHECK_THROWS_AS(mean_squared_error(x, Tensor::zeros({2, 3}, Dtype::float64)), ShapeError);
  CHECK_THROWS_AS(mean_squared_error(Tensor::zeros({0}), Tensor::zeros({0})), ShapeError);
}

TEST_CASE("cosine_distance: value and gradient by hand") {
  const Tensor a = leaf({1, 2, 3}, {1, 3}), b = Tensor::from<double>({2, 0, 1}, {1, 3});
  const Tensor loss = cosine_distance(a, b);
  check_near(loss.item(), 0.402386);
  loss.backward();
  const auto slopes = a.grad().to_vector<double>();
  check_near(slopes[0], -0.196359);
  check_near(slopes[1], 0.085373);
  check_near(slopes[2], 0.008537);
}

TEST_CASE("cosine_distance: zero rows, gradients") {
  const Tensor zero = leaf({0, 0, 0}, {1, 3}), b = leaf({2, 0, 1}, {1, 3});
  const Tensor loss = cosine_distance(zero, b);
  CHECK(loss.item() == 1);
  loss.backward();
  CHECK(zero.grad().to_vector<double>() == std::vector<double>{0, 0, 0});
  CHECK(b.grad().to_vector<double>() == std::vector<double>{0, 0, 0});
  CHECK(std::isnan(cosine_distance(Tensor::full({1, 2}, NAN), Tensor::ones({1, 2})).item()));
  const Tensor x = Tensor::from(wave(10, 0), {2, 5}), y = Tensor::from(wave(10, 1), {2, 5});
  check_gradients([](const Tensors& in) { return cosine_distance(in[0], in[1]); }, {x, y});
}
