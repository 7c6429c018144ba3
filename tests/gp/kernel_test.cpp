#include "cytograd/gp/kernel.h"

#include <functional>
#include <limits>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/ops/elementwise.h"
#include "gp/gp_support.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::gp;
using test::check_close;
using test::check_op_error;

namespace {

const std::vector<double> points = {0, .5, 1, -.3, 1.2, .8};  // three of two coordinates

Tensor three() { return Tensor::from(points, {3, 2}); }

double distance(size_t i, size_t j) {
  return std::hypot(points[2 * i] - points[2 * j], points[2 * i + 1] - points[2 * j + 1]);
}

// The covariance of the three points by its formula, of distance, inner product and sameness.
void check_kernel(const Kernel& kernel,
                  const std::function<double(double, double, bool)>& formula) {
  std::vector<double> noisy, plain;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      const double dot = points[2 * i] * points[2 * j] + points[2 * i + 1] * points[2 * j + 1];
      noisy.push_back(formula(distance(i, j), dot, i == j));
      plain.push_back(formula(distance(i, j), dot, false));
    }
  const Tensor x = three(), values = kernel.log_values();
  check_close(kernel.covariance(x, values), noisy, 1e-14);
  check_close(kernel.covariance(x, x.clone(), values), plain, 1e-14);
  const GradCheck slopes = gradcheck(
      [&](const Tensors& in) { return kernel.covariance(in[0], in[1]) * 1.0; }, {x, values});
  INFO(slopes.place);
  CHECK(slopes.passed(1e-6));
}

}  // namespace

TEST_CASE("gp kernels: their formulas and gradients") {
  check_kernel(constant(2), [](double, double, bool) { return 2.0; });
  check_kernel(rbf(.7), [](double d, double, bool) { return std::exp(-d * d / (2 * .49)); });
  check_kernel(matern(Smoothness::three_halves, .7), [](double d, double, bool) {
    const double s = std::sqrt(3.0) * d / .7;
    return (1 + s) * std::exp(-s);
  });
  check_kernel(matern(Smoothness::five_halves, .7), [](double d, double, bool) {
    const double r = d / .7;
    return (1 + std::sqrt(5.0) * r + 5 * r * r / 3) * std::exp(-std::sqrt(5.0) * r);
  });
  check_kernel(linear(1.5), [](double, double dot, bool) { return 1.5 * dot; });
  check_kernel(white(.1), [](double, double, bool same) { return same ? .1 : 0; });
}

TEST_CASE("gp kernels: Matern 1/2, with gradients in its lengthscale") {
  const Kernel kernel = matern(Smoothness::half, .7);
  const Tensor x = three();
  std::vector<double> expected;
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) expected.push_back(std::exp(-distance(i, j) / .7));
  check_close(kernel.covariance(x, kernel.log_values()), expected, 1e-14);
  // In x only beside other points: where points meet it has a kink, with slope 0 by convention.
  const GradCheck slopes = gradcheck([&](const Tensors& in) { return kernel.covariance(x, in[0]); },
                                     {kernel.log_values()});
  INFO(slopes.place);
  CHECK(slopes.passed(1e-6));
  const GradCheck moved =
      gradcheck([&](const Tensors& in) { return kernel.covariance(in[0], in[1], in[2]); },
                {x, Tensor::from<double>({.3, .2, -.4, .9}, {2, 2}), kernel.log_values()});
  INFO(moved.place);
  CHECK(moved.passed(1e-6));
}

TEST_CASE("gp kernels: sums and products, noise inside a product too") {
  const Kernel kernel = constant(2) * (rbf(.7) + white(.1)) + linear(.5) * rbf(1.3);
  check_kernel(kernel, [](double d, double dot, bool same) {
    return 2 * (std::exp(-d * d / .98) + (same ? .1 : 0)) +
           .5 * dot * std::exp(-d * d / (2 * 1.69));
  });
  std::vector<std::string> names;
  for (const Parameter& p : kernel.parameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"outputscale", "lengthscale", "noise", "outputscale2",
                                          "lengthscale2"});
  const Kernel doubled = (rbf(1) + rbf(2)) + (rbf(3) + rbf(4));
  CHECK(doubled.parameters()[3].name == "lengthscale4");
  CHECK(doubled.parameters()[3].value == 4);
  CHECK(kernel.with_fixed("noise").parameters()[2].fixed);
  CHECK(kernel.with_values({1, 2, .3, 4, 5}).parameters()[3].value == 4);
}

TEST_CASE("gp kernels: bad values and inputs") {
  check_op_error<ValueError>([] { rbf(0); }, "gp kernel: lengthscale expects 0.05 to 10, got 0");
  check_op_error<ValueError>([] { rbf(std::numeric_limits<double>::quiet_NaN()); },
                             "gp kernel: lengthscale expects 0.05 to 10, got nan");
  check_op_error<ValueError>(
      [] {
        white(.1, {0, 1});
      },
      "gp kernel: noise expects bounds with 0 < lower <= upper, got 0 and 1");
  check_op_error<ValueError>(
      [] {
        rbf(1).with_values({1, 2});
      },
      "gp kernel: expects 1 values, got 2");
  check_op_error<ValueError>([] { rbf(1).with_values({-1}); },
                             "gp kernel: lengthscale expects a positive value, got -1");
  check_op_error<ValueError>([] { (rbf(1) + white(.1)).with_fixed("nu"); },
                             "gp kernel: expected one of lengthscale, noise, got nu");
  const Kernel k = rbf(1);
  check_op_error<ShapeError>(
      [&] {
        k.covariance(three(), Tensor::zeros({2, 3}, Dtype::float64), k.log_values());
      },
      "gp kernel: expects inputs [N, D] and [M, D], got [3, 2] and [2, 3]");
  check_op_error<ShapeError>([&] { k.covariance(three(), Tensor::zeros({2}, Dtype::float64)); },
                             "gp kernel: expects the logarithms of 1 parameters, got [2]");
  check_op_error<DtypeError>([&] { k.covariance(three().to(Dtype::float32), k.log_values()); },
                             "gp kernel: expects float64, got float32");
}
