#include "cytograd/ops/batch_norm.h"

#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/ops/elementwise.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// Channel c of x as a list; the last axis is the channel.
std::vector<double> channel(const Ref& x, int64_t c) {
  std::vector<double> out;
  for (size_t i = static_cast<size_t>(c); i < x.values.size();
       i += static_cast<size_t>(x.shape.back()))
    out.push_back(x.values[i]);
  return out;
}

double mean_of(const std::vector<double>& v) {
  double sum = 0;
  for (const double value : v) sum += value;
  return sum / static_cast<double>(v.size());
}

double variance_of(const std::vector<double>& v, int correction) {
  const double mean = mean_of(v);
  double sum = 0;
  for (const double value : v) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(static_cast<int>(v.size()) - correction);
}

OpCase training_case(const std::string& name, const Shape& shape, bool affine = true) {
  const int64_t channels = shape.back();
  OpCase c;
  c.name = "batch_norm training " + name;
  c.inputs = {{shape}};
  if (affine) {
    c.inputs.push_back({{channels}, 0.5, 2});
    c.inputs.push_back({{channels}});
  }
  c.op = [affine](const Tensors& in) {
    return batch_norm(in[0], affine ? in[1] : Tensor{}, affine ? in[2] : Tensor{}, {}, {},
                      {.training = true});
  };
  c.reference = [affine](const std::vector<Ref>& in) {
    Ref y = in[0];
    for (size_t i = 0; i < y.values.size(); ++i) {
      const auto ch = static_cast<int64_t>(i) % y.shape.back();
      const std::vector<double> v = channel(in[0], ch);
      y.values[i] = (in[0].values[i] - mean_of(v)) / std::sqrt(variance_of(v, 0) + 1e-5);
      if (affine) y.values[i] = y.values[i] * in[1].values[ch] + in[2].values[ch];
    }
    return y;
  };
  c.float32_tolerance = 6e-6;
  return c;
}

OpCase evaluation_case(const std::string& name, const Shape& shape) {
  const int64_t channels = shape.back();
  OpCase c;
  c.name = "batch_norm evaluation " + name;
  c.inputs = {{shape}, {{channels}, 0.5, 2}, {{channels}}};
  const auto statistics = [channels](bool variance, Dtype dtype) {
    Tensor out = Tensor::empty({channels}, Dtype::float64);
    for (int64_t i = 0; i < channels; ++i)
      out.data<double>()[i] =
          variance ? 0.25 * static_cast<double>(i + 1) : 0.125 * static_cast<double>(i);
    return out.to(dtype);
  };
  c.op = [statistics](const Tensors& in) {
    return batch_norm(in[0], in[1], in[2], statistics(false, in[0].dtype()),
                      statistics(true, in[0].dtype()), {.eps = 1e-3});
  };
  c.reference = [](const std::vector<Ref>& in) {
    Ref y = in[0];
    for (size_t i = 0; i < y.values.size(); ++i) {
      const auto ch = static_cast<int64_t>(i) % y.shape.back();
      const double mean = 0.125 * static_cast<double>(ch), var = 0.25 * static_cast<double>(ch + 1);
      y.values[i] =
          (in[0].values[i] - mean) / std::sqrt(var + 1e-3) * in[1].values[ch] + in[2].values[ch];
    }
    return y;
  };
  c.float32_tolerance = 4e-6;
  return c;
}

}  // namespace

TEST_CASE("batch_norm in training") {
  check_op(training_case("image", {2, 3, 5, 7}));
  check_op(training_case("matrix", {11, 3}));
  check_op(training_case("one channel, two values", {2, 1}));
  check_op(training_case("several runs of rows", {2, 67, 1}));
  check_op(training_case("no weight", {5, 2, 4}, false));
  check_op(training_case("no channel", {3, 0}));
}

TEST_CASE("batch_norm in evaluation") {
  check_op(evaluation_case("image", {2, 3, 5, 7}));
  check_op(evaluation_case("one row", {1, 4}));
  check_op(evaluation_case("no row", {0, 4}));
}

TEST_CASE("batch_norm over several tiles of rows and channels equals the formula") {
  // 1031 rows and 521 channels are prime and just larger than a tile. The mean of 1000 with a
  // deviation of about 1 loses E[x^2] - E[x]^2 in float32.
  const int64_t rows = 1031, channels = 521;
  const Tensor x = Tensor::empty({rows, channels});
  for (int64_t i = 0; i < rows * channels; ++i)
    x.data<float>()[i] = static_cast<float>(1000 + std::sin(static_cast<double>(i % 7919)));
  const Tensor mean = Tensor::zeros({channels}), var = Tensor::ones({channels});
  const Tensor y = batch_norm(x, {}, {}, mean, var, {.training = true, .momentum = 1});
  const std::vector<double> values = x.to_vector<double>(), got = y.to_vector<double>();
  for (const int64_t c : {0, 255, 511, 512, 520}) {
    std::vector<double> v;
    for (int64_t r = 0; r < rows; ++r) v.push_back(values[r * channels + c]);
    const double mu = mean_of(v), sigma = std::sqrt(variance_of(v, 0) + 1e-5);
    CHECK(mean.to_vector<double>()[c] == doctest::Approx(mu).epsilon(1e-7));
    CHECK(var.to_vector<double>()[c] == doctest::Approx(variance_of(v, 1)).epsilon(2e-6));
    double worst = 0;
    for (int64_t r = 0; r < rows; ++r)
      worst = std::max(worst, std::abs(got[r * channels + c] - (v[r] - mu) / sigma));
    CHECK(worst <= 2e-4);  // the mean is rounded to float32: 1000 * 6e-8 / 0.7, twice
  }
}

TEST_CASE("batch_norm updates running statistics in place, strided ones too") {
  const Tensor x = Tensor::from<double>({1, 10, 2, 20, 6, 60}, {3, 2});
  const Tensor base = Tensor::from<double>({1, 1, 2, 2});  // every second element is used
  const Tensor mean = base.as_strided({2}, {2}, 0), var = Tensor::from<double>({1, 1});
  batch_norm(x, {}, {}, mean, var, {.training = true, .momentum = 0.25});
  CHECK(mean.to_vector<double>()[0] == doctest::Approx(0.75 * 1 + 0.25 * 3));
  CHECK(mean.to_vector<double>()[1] == doctest::Approx(0.75 * 2 + 0.25 * 30));
  CHECK(base.to_vector<double>()[1] == 1);
  CHECK(var.to_vector<double>()[0] == doctest::Approx(0.75 + 0.25 * 7));  // ((-2)^2 + 1 + 3^2) / 2
  CHECK(var.to_vector<double>()[1] == doctest::Approx(0.75 + 0.25 * 700));
  const Tensor before = mean.clone();
  batch_norm(x, {}, {}, mean, var, {});
  CHECK(mean.to_vector<double>() == before.to_vector<double>());
}

TEST_CASE("batch_norm backward survives a later update of the running statistics") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 4}, {2, 2});
  x.set_requires_grad(true);
  const Tensor mean = Tensor::zeros({2}, Dtype::float64),
               var = Tensor::full({2}, 4, Dtype::float64);
  const Tensor y = batch_norm(x, {}, {}, mean, var, {.eps = 0});
  batch_norm(x, {}, {}, mean, var, {.training = true});
  y.backward(Tensor::ones({2, 2}, Dtype::float64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("batch_norm marks the running statistics as changed") {
  const Tensor x = Tensor::from<double>({1, 2, 3, 5}, {2, 2});
  const Tensor running = Tensor::ones({2}, Dtype::float64), w = running.clone();
  w.set_requires_grad(true);
  const Tensor y = mul(w, running);  // saves both
  batch_norm(x, {}, {}, running, {}, {.training = true});
  CHECK_THROWS_AS(y.backward(Tensor::ones({2}, Dtype::float64)), StateError);
}

TEST_CASE("batch_norm refuses bad arguments") {
  const Tensor x = Tensor::zeros({2, 3}), three = Tensor::ones({3}), two = Tensor::ones({2});
  check_op_error<ShapeError>([&] { batch_norm(three, {}, {}, {}, {}, {.training = true}); },
                             "batch_norm: input expects [..., C], got [3]");
  check_op_error<ShapeError>([&] { batch_norm(x, two, {}, {}, {}, {.training = true}); },
                             "batch_norm: weight expects shape [3] for input [2, 3], got [2]");
  check_op_error<DtypeError>(
      [&] { batch_norm(x, {}, three.to(Dtype::float64), {}, {}, {.training = true}); },
      "batch_norm: bias expects float32, got float64");
  check_op_error<StateError>([&] { batch_norm(x, {}, {}, {}, three, {}); },
                             "batch_norm: evaluation expects running_mean, it is undefined");
  check_op_error<ShapeError>(
      [&] {
        batch_norm(Tensor::zeros({1, 3}), {}, {}, {}, {}, {.training = true});
      },
      "batch_norm: training expects more than one value per channel, got [1, 3]");
  check_op_error<ValueError>([&] { batch_norm(x, {}, {}, three, three, {.eps = -1}); },
                             "batch_norm: eps must be >= 0, got -1");
  check_op_error<ValueError>([&] { batch_norm(x, {}, {}, three, three, {.momentum = 1.5}); },
                             "batch_norm: momentum must be in [0, 1], got 1.5");
  const Tensor leaf = Tensor::ones({3});
  leaf.set_requires_grad(true);
  check_op_error<StateError>(
      [&] { batch_norm(x, {}, {}, leaf, three, {}); },
      "batch_norm: running_mean is a statistic and cannot require a gradient");
}
