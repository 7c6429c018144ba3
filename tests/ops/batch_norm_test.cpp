#include "cytograd/ops/batch_norm.h"

#include <cmath>
#include <cstring>

#include <doctest/doctest.h>

#include "cytograd/core/cpu.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
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
  const auto statistics = [channels](bool variance, const Tensor& like) {
    Tensor out = Tensor::empty({channels}, Dtype::float64);
    for (int64_t i = 0; i < channels; ++i)
      out.data<double>()[i] =
          variance ? 0.25 * static_cast<double>(i + 1) : 0.125 * static_cast<double>(i);
    return out.to(like.dtype()).to(like.device());
  };
  c.op = [statistics](const Tensors& in) {
    return batch_norm(in[0], in[1], in[2], statistics(false, in[0]), statistics(true, in[0]),
                      {.eps = 1e-3});
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

// The same with a ReLU, and the sum with a residual before it; NaN passes through the ReLU.
OpCase with_relu(OpCase c, bool training, bool residual) {
  c.name += residual ? " with residual and relu" : " with relu";
  const auto plain = c.reference;
  const size_t last = c.inputs.size();
  const Shape vector{c.inputs[0].shape.back()};
  if (residual) c.inputs.push_back({c.inputs[0].shape});
  c.op = [=](const Tensors& in) {
    const Dtype dtype = in[0].dtype();
    return batch_norm(in[0], last > 1 ? in[1] : Tensor{}, last > 2 ? in[2] : Tensor{},
                      training ? Tensor{} : Tensor::full(vector, 0.25, dtype, in[0].device()),
                      training ? Tensor{} : Tensor::full(vector, 2, dtype, in[0].device()),
                      {.training = training, .relu = true}, residual ? in[last] : Tensor{});
  };
  c.reference = [=](const std::vector<Ref>& in) {
    Ref y = in[0];
    if (training) {
      y = plain(std::vector<Ref>(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(last)));
    } else {
      for (size_t i = 0; i < y.values.size(); ++i) {
        const size_t ch = i % static_cast<size_t>(vector[0]);
        y.values[i] = (y.values[i] - 0.25) / std::sqrt(2 + 1e-5);
        if (last > 1) y.values[i] = y.values[i] * in[1].values[ch] + in[2].values[ch];
      }
    }
    for (size_t i = 0; i < y.values.size(); ++i) {
      if (residual) y.values[i] += in[last].values[i];
      if (y.values[i] < 0) y.values[i] = 0;
    }
    return y;
  };
  return c;
}

// Result and gradients of x, weight, bias and residual, one after the other.
std::vector<double> run_with_gradients(const Tensor& x, const Tensor& residual,
                                       const BatchNormOptions& options) {
  const int64_t channels = x.size(-1);
  const Tensor weight = Tensor::full({channels}, 1.5, x.dtype()),
               bias = Tensor::full({channels}, 0.125, x.dtype());
  Tensors leaves{x.detach(), weight, bias};
  if (residual.defined()) leaves.push_back(residual.detach());
  for (const Tensor& leaf : leaves) leaf.set_requires_grad(true);
  const Tensor y = batch_norm(leaves[0], leaves[1], leaves[2], Tensor::zeros_like(weight),
                              Tensor::ones({channels}, x.dtype()), options,
                              residual.defined() ? leaves[3] : Tensor{});
  std::vector<double> out = y.to_vector<double>();
  sum(y * y).backward();
  for (const Tensor& leaf : leaves) {
    const std::vector<double> grad = leaf.grad().to_vector<double>();
    out.insert(out.end(), grad.begin(), grad.end());
  }
  return out;
}

Tensor waves(const Shape& shape, double phase) {
  const Tensor x = Tensor::empty(shape);
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<float>()[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i) + phase));
  return x;
}

}  // namespace

TEST_CASE("batch_norm with residual and relu in one pass") {
  for (const bool residual : {false, true}) {
    check_op(with_relu(training_case("image", {2, 3, 5, 7}), true, residual));
    check_op(with_relu(training_case("no weight", {5, 2, 19}, false), true, residual));
    check_op(with_relu(training_case("several runs of rows", {2, 67, 1}), true, residual));
    check_op(with_relu(training_case("no channel", {3, 0}), true, residual));
    check_op(with_relu(evaluation_case("image", {2, 3, 5, 7}), false, residual));
    check_op(with_relu(evaluation_case("vectors and a tail", {3, 37}), false, residual));
  }
}

TEST_CASE("batch_norm with relu equals the separate operations, bit for bit") {
  const Tensor x = waves({3, 5, 7, 37}, 0), r = waves({3, 5, 7, 37}, 1);
  const Tensor w = waves({37}, 2), b = waves({37}, 3);
  for (const bool residual : {false, true}) {
    std::vector<std::vector<double>> results;
    for (const bool fused : {true, false}) {
      Tensors leaves{x.detach(), w.detach(), b.detach(), r.detach()};
      for (const Tensor& leaf : leaves) leaf.set_requires_grad(true);
      const Tensor added = residual ? leaves[3] : Tensor{};
      Tensor y = batch_norm(leaves[0], leaves[1], leaves[2], {}, {},
                            {.training = true, .relu = fused}, fused ? added : Tensor{});
      if (!fused) y = relu(residual ? y + added : y);
      sum(y * waves(x.shape(), 4)).backward();
      std::vector<double> out = y.to_vector<double>();
      for (const Tensor& leaf : leaves)
        if (leaf.grad().defined())
          for (const double g : leaf.grad().to_vector<double>()) out.push_back(g);
      results.push_back(out);
    }
    CHECK(results[0] == results[1]);
  }
}

TEST_CASE("batch_norm reads channel slices in place and gives the bits of packed ones") {
  const Tensor wide = waves({2, 9, 11, 80}, 0), wide_residual = waves({2, 9, 11, 50}, 1);
  const Tensor x = slice(wide, -1, 3, 40), residual = slice(wide_residual, -1, 0, 37);
  for (const bool relu : {false, true})
    for (const bool training : {false, true})
      for (const bool with_residual : {false, true}) {
        const BatchNormOptions options{.training = training, .relu = relu};
        CHECK(run_with_gradients(x, with_residual ? residual : Tensor{}, options) ==
              run_with_gradients(x.contiguous(), with_residual ? residual.contiguous() : Tensor{},
                                 options));
      }
  const Tensor crop = slice(x, 1, 2, 7);  // its rows are not evenly spaced
  CHECK(run_with_gradients(crop, {}, {.training = true, .relu = true}) ==
        run_with_gradients(crop.contiguous(), {}, {.training = true, .relu = true}));
  reset_peak_memory();
  const size_t before = memory_stats().in_use;
  batch_norm(x, {}, {}, {}, {}, {.training = true});
  // The result, scratch for the sums, and no packed copy of x.
  CHECK(memory_stats().peak - before < 2 * x.bytes());
}

TEST_CASE("batch_norm gives the same bits with every instruction set") {
  const Tensor x = waves({2, 67, 5, 531}, 0), residual = waves({2, 67, 5, 531}, 1);
  const std::string before = isa_name();
  std::vector<std::vector<double>> results;
  for (const std::string& isa : available_isas()) {
    set_isa(isa);
    results.push_back(run_with_gradients(x, residual, {.training = true, .relu = true}));
    CHECK(results.back() == results.front());
    CHECK(run_with_gradients(x, {}, {.training = false, .relu = true}).size() > 0);
  }
  set_isa(before);
}

TEST_CASE("batch_norm leaves the gradient that the caller gave as it was") {
  const Tensor x = waves({6, 5}, 0), residual = waves({6, 5}, 1);
  const Tensor dy = waves({6, 5}, 2), kept = dy.clone();
  for (const bool relu : {false, true}) {
    const Tensor leaf = x.detach(), added = residual.detach();
    leaf.set_requires_grad(true);
    added.set_requires_grad(true);
    batch_norm(leaf, {}, {}, {}, {}, {.training = true, .relu = relu}, added).backward(dy);
    CHECK(dy.to_vector<double>() == kept.to_vector<double>());
    added.grad().fill_(7);
    CHECK(leaf.grad().to_vector<double>()[0] != 7);
  }
}

TEST_CASE("batch_norm adds to the gradient that its input has from other uses") {
  const Tensor x = waves({6, 5, 40}, 0);
  std::vector<std::vector<double>> grads;
  for (const bool together : {true, false}) {
    const Tensor leaf = x.detach();
    leaf.set_requires_grad(true);
    if (together) {
      const Tensor u = leaf * 2.0;  // a recorded tensor with two uses
      const Tensor y = batch_norm(u, {}, {}, {}, {}, {.training = true, .relu = true});
      (sum(y) + sum(u * u)).backward();
    } else {
      const Tensor u = leaf * 2.0, v = leaf * 2.0;
      sum(u * u).backward();
      sum(batch_norm(v, {}, {}, {}, {}, {.training = true, .relu = true})).backward();
    }
    grads.push_back(leaf.grad().to_vector<double>());
  }
  for (size_t i = 0; i < grads[0].size(); ++i)
    CHECK(grads[0][i] == doctest::Approx(grads[1][i]).epsilon(1e-5));
}

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
  check_op_error<ShapeError>([&] { batch_norm(x, {}, {}, three, three, {}, three); },
                             "batch_norm: residual expects shape [2, 3], got [3]");
  check_op_error<DtypeError>([&] { batch_norm(x, {}, {}, three, three, {}, x.to(Dtype::float64)); },
                             "batch_norm: residual expects float32, got float64");
  const Tensor leaf = Tensor::ones({3});
  leaf.set_requires_grad(true);
  check_op_error<StateError>(
      [&] { batch_norm(x, {}, {}, leaf, three, {}); },
      "batch_norm: running_mean is a statistic and cannot require a gradient");
}
