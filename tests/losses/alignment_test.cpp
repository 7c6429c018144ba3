#include "cytograd/losses/alignment.h"

#include <cmath>

#include "cytograd/autograd/gradcheck.h"
#include "cytograd/core/random.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::losses;
using test::check_op_error;

/// @file
/// Alignment of latents; expected numbers by hand and by invariances.

namespace {

constexpr double half_digit = 6e-7;

void near(double actual, double expected, double tolerance = half_digit) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

void near_all(const Tensor& actual, const std::vector<double>& expected,
              double tolerance = half_digit) {
  const auto values = actual.to_vector<double>();
  REQUIRE(values.size() == expected.size());
  for (size_t i = 0; i < values.size(); ++i) near(values[i], expected[i], tolerance);
}

Tensor image_side() { return Tensor::from<double>({0, 1, 1, 0, 2, 2}, {3, 2}); }
Tensor rna_side() { return Tensor::from<double>({1, 1, 2, 0, 0, 3, 1, 2}, {4, 2}); }

// No variance of the posteriors: exp(-1000) is 0.
ClassMoments moments(const Tensor& points) {
  return posterior_moments(points, Tensor::full(points.shape(), -1000, Dtype::float64));
}

Tensor normal(int64_t rows, int64_t columns, uint64_t seed, double scale = 1) {
  Rng rng(seed, "alignment");
  std::vector<double> out;
  for (int64_t i = 0; i < rows * columns; ++i) out.push_back(scale * rng.normal());
  return Tensor::from(out, {rows, columns});
}

Tensor scaled_identity(double factor, int64_t d) {
  const Tensor out = Tensor::zeros({d, d}, Dtype::float64);
  for (int64_t i = 0; i < d; ++i) out.as_strided({1}, {1}, i * (d + 1)).fill_(factor);
  return out;
}

}  // namespace

TEST_CASE("moment alignment: value, parts and gradient by hand") {
  const ClassMoments target = moments(rna_side());
  near_all(target.mean, {1, 1.5});
  near_all(target.covariance, {.666667, -1, -1, 1.666667});
  const Tensor x = image_side();
  x.set_requires_grad(true);
  const MomentAlignment found = moment_alignment(x, target);
  near(found.mean_part.item(), .125);
  near(found.covariance_part.item(), .233089);
  near(found.value().item(), .358089);
  found.value().backward();
  near_all(x.grad(), {.123211, -.330990, -.164324, .038770, .041113, -.207780});
  const auto one_way = [&](AlignmentDivergence d) {
    return moment_alignment(image_side(), target, d).covariance_part.item();
  };
  near(one_way(AlignmentDivergence::features_from_target), .550499 / 2);
  near(one_way(AlignmentDivergence::target_from_features), .381856 / 2);
}

TEST_CASE("moment alignment: strength of the covariance part in 50 dimensions") {
  // Points whose covariance is a multiple of I: +-s e_k, of which 100 give 2 s^2 / 99 each.
  const auto cloud = [](double variance) {
    std::vector<double> out(5000, 0.0);
    const double s = std::sqrt(variance * 99 / 2);
    for (size_t k = 0; k < 50; ++k) {
      out[2 * k * 50 + k] = s;
      out[(2 * k + 1) * 50 + k] = -s;
    }
    return Tensor::from(out, {100, 50});
  };
  const auto strength = [&](double features, double target) {
    const ClassMoments m{Tensor::zeros({50}, Dtype::float64), scaled_identity(target, 50)};
    return moment_alignment(cloud(features), m).covariance_part.item();
  };
  near(strength(1, 2), .039239);
  near(strength(1, 4), .711689);
  near(strength(.1, .3), .000475);
  near(strength(1, 1), 0, 1e-12);
}

TEST_CASE("moment alignment: order of cells and of axes do not count, rotations do; gradients") {
  const Tensor x = normal(9, 4, 1), y = normal(12, 4, 2, 1.5);
  const auto value = [](const Tensor& a, const Tensor& b) {
    return moment_alignment(a, moments(b)).value().item();
  };
  const double expected = value(x, y);
  near(value(x, x), 0, 1e-12);
  const Tensor cells = Tensor::from<int64_t>({8, 2, 5, 0, 1, 3, 4, 7, 6});
  near(value(index_select(x, 0, cells), y), expected, 1e-12);
  const Tensor axes = Tensor::from<int64_t>({2, 0, 3, 1});
  near(value(index_select(x, 1, axes), index_select(y, 1, axes)), expected, 1e-12);
  const double h = std::sqrt(.5);
  const Tensor turn =
      Tensor::from<double>({h, h, 0, 0, -h, h, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, {4, 4});
  CHECK(std::abs(value(matmul(x, turn), matmul(y, turn)) - expected) > 1e-4);
  const ClassMoments target = moments(y);
  for (const auto divergence :
       {AlignmentDivergence::symmetric, AlignmentDivergence::features_from_target,
        AlignmentDivergence::target_from_features}) {
    const GradCheck slopes = gradcheck(
        [&](const Tensors& in) { return moment_alignment(in[0], target, divergence).value(); },
        {x});
    INFO(slopes.place);
    CHECK(slopes.passed(1e-6));
  }
}

TEST_CASE("moment alignment, unbiased: few cells are not pulled together; value, mean, gradient") {
  const ClassMoments target = moments(rna_side());
  const auto parts = [&](const Tensor& x, bool unbiased) {
    return moment_alignment(x, target, AlignmentDivergence::symmetric, unbiased);
  };
  // The covariance of the three cells has 1 twice on its diagonal: 2 / (3 * 2) less.
  near(parts(image_side(), true).mean_part.item(), .125 - 1. / 3);
  near(parts(image_side(), true).covariance_part.item(), .233089);
  // Draws of two cells around the target's own mean: nothing is left on average of what they miss.
  double plain = 0, corrected = 0;
  constexpr int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    const Tensor x = normal(2, 2, 100 + static_cast<uint64_t>(i), 2) + target.mean;
    plain += parts(x, false).mean_part.item() / draws;
    corrected += parts(x, true).mean_part.item() / draws;
  }
  near(plain, 2, .1);  // variance 4, of two cells
  near(corrected, 0, .1);
  const GradCheck slopes =
      gradcheck([&](const Tensors& in) { return parts(in[0], true).value(); }, {normal(5, 2, 3)});
  INFO(slopes.place);
  CHECK(slopes.passed(1e-6));
}

TEST_CASE("posterior moments: variances of the posteriors are on the diagonal; large offsets") {
  const Tensor mu = rna_side();
  const ClassMoments m = posterior_moments(mu, Tensor::full({4, 2}, std::log(.25), Dtype::float64));
  near_all(m.covariance, {.666667 + .25, -1, -1, 1.666667 + .25});
  near_all(moments(mu + 1e6).covariance, {.666667, -1, -1, 1.666667}, 1e-6);
  CHECK(posterior_moments(mu.to(Dtype::float32), Tensor::zeros({4, 2})).mean.dtype() ==
        Dtype::float32);
  check_op_error<ValueError>(
      [&] {
        moments(Tensor::zeros({1, 2}, Dtype::float64));
      },
      "posterior_moments: a covariance needs at least two cells, got 1");
}

TEST_CASE("kernel mmd: values by hand, invariances, gradients") {
  near(kernel_mmd(image_side(), rna_side()).item(), .968762);
  near(kernel_mmd(image_side(), rna_side(), true).item(), -.762791);
  const Tensor x = normal(7, 3, 5), y = normal(5, 3, 6, 2);
  const double expected = kernel_mmd(x, y).item(), h = std::sqrt(.5);
  const Tensor turn = Tensor::from<double>({h, h, 0, -h, h, 0, 0, 0, 1}, {3, 3});
  near(kernel_mmd(matmul(x, turn) + 3.0, matmul(y, turn) + 3.0).item(), expected, 1e-12);
  near(kernel_mmd(y, x).item(), expected, 1e-12);
  near(kernel_mmd(x, x).item(), 0, 1e-12);
  const Tensor one = Tensor::ones({3, 2}, Dtype::float64);
  near(kernel_mmd(one, one).item(), 0, 1e-12);
}

TEST_CASE("kernel mmd: gradients beside differences at a bandwidth that is held") {
  constexpr size_t n = 7, m = 5, d = 3;
  const Tensor x = normal(n, d, 5), y = normal(m, d, 6, 2);
  const auto squared = [](const std::vector<double>& points, size_t i, size_t j) {
    double sum = 0;
    for (size_t k = 0; k < d; ++k) sum += std::pow(points[i * d + k] - points[j * d + k], 2);
    return sum;
  };
  std::vector<double> points = x.to_vector<double>();
  const std::vector<double> fixed = y.to_vector<double>();
  points.insert(points.end(), fixed.begin(), fixed.end());
  double bandwidth = 0;
  for (size_t i = 0; i < n + m; ++i)
    for (size_t j = 0; j < n + m; ++j)
      bandwidth += squared(points, i, j) / ((n + m) * (n + m - 1.0));
  for (const bool unbiased : {false, true}) {
    CAPTURE(unbiased);
    const auto value = [&] {
      double sum = 0;
      for (size_t i = 0; i < n + m; ++i)
        for (size_t j = 0; j < n + m; ++j) {
          const bool left = i < n, same = left == (j < n);
          const double rows = left ? n : m;
          if (unbiased && i == j) continue;
          double k = 0;
          for (int s = -2; s <= 2; ++s)
            k += std::exp(-squared(points, i, j) / std::ldexp(bandwidth, s));
          sum += same ? k / (rows * (unbiased ? rows - 1 : rows)) : -k / (n * m);
        }
      return sum;
    };
    const Tensor leaf = x.clone();
    leaf.set_requires_grad(true);
    const Tensor loss = kernel_mmd(leaf, y, unbiased);
    near(loss.item(), value(), 1e-12);
    loss.backward();
    const std::vector<double> slopes = leaf.grad().to_vector<double>();
    for (size_t i = 0; i < n * d; ++i) {
      constexpr double h = 1e-6;
      const double at = points[i];
      points[i] = at + h;
      const double above = value();
      points[i] = at - h;
      near(slopes[i], (above - value()) / (2 * h), 1e-8);
      points[i] = at;
    }
  }
}

TEST_CASE("class alignment: weights, classes of several labels, classes that are too small") {
  const Tensor z = normal(12, 3, 7);
  z.set_requires_grad(true);
  const std::vector<int64_t> labels = {7, 8, 7, 8, 9, 9, 9, 3, 7, 8, 9, 3};
  const ClassMoments target = moments(normal(20, 3, 8));
  const std::vector<AlignedClass> classes = {
      {{7, 8}, .5, target}, {{9}, 2, target}, {{3}, 1, target}};
  const ClassAlignment found = class_alignment(z, labels, classes, 4);
  CHECK(found.skipped == 1);
  CHECK(std::isnan(found.mean_parts[2]));
  const auto part = [&](const std::vector<int64_t>& rows) {
    return moment_alignment(index_select(z.detach(), 0, Tensor::from(rows)), target).value().item();
  };
  near(found.value.item(), .5 * part({0, 1, 2, 3, 8, 9}) + 2 * part({4, 5, 6, 10}), 1e-12);
  near(found.mean_parts[0] + found.covariance_parts[0], part({0, 1, 2, 3, 8, 9}), 1e-12);
  found.value.backward();
  const auto slopes = z.grad().to_vector<double>();
  for (size_t k = 0; k < 3; ++k) CHECK(slopes[7 * 3 + k] == 0);  // of the class left out
  CHECK(slopes[0] != 0);
  z.zero_grad();
  const ClassAlignment none = class_alignment(z, labels, classes, 100);
  CHECK(none.skipped == 3);
  CHECK(none.value.item() == 0);
  none.value.backward();
  for (const double slope : z.grad().to_vector<double>()) CHECK(slope == 0);
}

TEST_CASE("alignment: bad input") {
  const ClassMoments target = moments(rna_side());
  check_op_error<ValueError>(
      [&] {
        moment_alignment(Tensor::zeros({1, 2}, Dtype::float64), target);
      },
      "moment_alignment: a covariance needs at least two samples, got 1");
  check_op_error<ShapeError>(
      [&] {
        moment_alignment(Tensor::zeros({3, 4}, Dtype::float64), target);
      },
      "moment_alignment: the target expects a mean [4] and a covariance [4, 4], got [2] and [2, "
      "2]");
  check_op_error<ShapeError>(
      [&] {
        kernel_mmd(image_side(), Tensor::zeros({3, 4}, Dtype::float64));
      },
      "kernel_mmd: expects [n, D] and [m, D], got [3, 2] and [3, 4]");
  check_op_error<ValueError>(
      [&] {
        kernel_mmd(image_side(), Tensor::zeros({1, 2}, Dtype::float64), true);
      },
      "kernel_mmd: expects at least 2 rows on each side, got 3 and 1");
  check_op_error<ValueError>(
      [&] {
        class_alignment(image_side(), {0, 0, 0}, {}, 1);
      },
      "class_alignment: min_per_class expects >= 2, got 1");
  check_op_error<ShapeError>(
      [&] {
        class_alignment(image_side(), {0, 0}, {});
      },
      "class_alignment: expects features [B, D] and B labels, got [3, 2] and 2");
}
