#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/inference/compile.h"
#include "cytograd/models/registry.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/ops/conv2d.h"
#include "cytograd/ops/pool2d.h"
#include "cytograd/ops/shape.h"

using namespace cytograd;

/// @file
/// Compiled inference on the device beside the network run layer by layer on the CPU.

namespace {

Tensor draw(const Shape& shape, const char* name) {
  Rng rng(1, name);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.normal());
  return Tensor::from(values, shape);
}

// Running statistics as if it had been trained.
std::unique_ptr<models::ImageModel> make(const char* name) {
  auto model = models::make_model(name, {.classes = 7, .seed = 1});
  Rng rng(2, name);
  for (const auto& [buffer, tensor] : model->named_buffers()) {
    if (tensor.dtype() != Dtype::float32) continue;
    const bool variance = buffer.find("var") != std::string::npos;
    for (int64_t i = 0; i < tensor.numel(); ++i)
      tensor.data<float>()[i] =
          static_cast<float>(variance ? 0.5 + rng.uniform() : 0.2 * rng.normal());
  }
  model->eval();
  return model;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<float>(), y = b.to_vector<float>();
  REQUIRE(x.size() == y.size());
  double apart = 0, largest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    apart = std::max(apart, std::abs(static_cast<double>(x[i]) - y[i]));
    largest = std::max(largest, std::abs(static_cast<double>(x[i])));
  }
  return apart / largest;
}

}  // namespace

TEST_CASE("compiled inference on the device: the networks") {
#ifdef CYTOGRAD_INSTRUMENTED
  const std::vector<const char*> names = {"resnet20"};
#else
  const std::vector<const char*> names = {"resnet20", "resnet50", "densenet121"};
#endif
  for (const char* name : names) {
    CAPTURE(name);
    const Tensor x = draw({2, 34, 32, 3}, "images");
    const auto model = make(name);
    const NoGrad no_grad;
    const Tensor expected = model->forward(x);
    model->to(Device::cuda());
    for (const bool bfloat16 : {false, true}) {
      const inference::CompiledModel compiled = inference::compile(
          *model, {34, 32, 3}, {.batch = 2, .device = Device::cuda(), .bfloat16 = bfloat16});
      CHECK(compiled.device() == Device::cuda());
      CHECK(compiled.dtype() == Dtype::float32);
      const double bound = bfloat16 ? 0.06 : 1e-4;
      const Tensor y = compiled(x.to(Device::cuda()));
      CHECK(y.dtype() == Dtype::float32);
      CHECK(largest_difference(expected, y.to(Device{})) <= bound);
      // Another batch size in the same workspace.
      const Tensor one = compiled(slice(x, 0, 1, 2).to(Device::cuda()));
      CHECK(largest_difference(slice(expected, 0, 1, 2), one.to(Device{})) <= bound);
    }
  }
}

// A norm behind a pool and before a 3x3 convolution is a step of its own.
TEST_CASE("a norm that no convolution takes is compiled for the device") {
  const Tensor x = draw({2, 9, 7, 5}, "x"), weight = draw({6, 3, 3, 5}, "filters");
  nn::BatchNorm2d norm(5);
  norm.running_mean.copy_(draw({5}, "mean"));
  norm.weight.detach().copy_(draw({5}, "weight"));
  const auto run = [&norm](const Tensor& images, const Tensor& filters) {
    const Tensor pooled = max_pool2d(images, {.kernel = 3, .stride = 2});
    return conv2d(norm.forward_relu(pooled), filters, {}, {.padding = 1});
  };
  const NoGrad no_grad;
  norm.eval();
  const Tensor expected = run(x, weight);
  norm.to(Device::cuda());
  const Tensor there = weight.to(Device::cuda());
  for (const bool bfloat16 : {false, true}) {
    const inference::CompiledModel compiled =
        inference::compile([&](const Tensor& images) { return run(images, there); }, {9, 7, 5},
                           {.batch = 2, .device = Device::cuda(), .bfloat16 = bfloat16});
    const Tensor y = compiled(x.to(Device::cuda())).to(Device{});
    CHECK(largest_difference(expected, y) <= (bfloat16 ? 0.03 : 1e-5));
  }
}

TEST_CASE("compiled inference on the device refuses what it cannot run") {
  const auto model = make("resnet20");
  CHECK_THROWS_AS(inference::compile(*model, {32, 32, 3}, {.bfloat16 = true}), ValueError);
  model->to(Device::cuda());
  const auto compiled = inference::compile(*model, {32, 32, 3}, {.device = Device::cuda()});
  CHECK_THROWS_AS(compiled(draw({1, 32, 32, 3}, "x")), DeviceError);
  std::vector<double> seconds(compiled.steps().size());
  const Tensor x = draw({1, 32, 32, 3}, "x").to(Device::cuda());
  compiled.run(x, Tensor::empty({1, 7}, Dtype::float32, Device::cuda()), seconds);
  CHECK(std::all_of(seconds.begin(), seconds.end(), [](double s) { return s > 0; }));
}
