#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/models/image_vae.h"
#include "cytograd/models/registry.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/adam.h"

using namespace cytograd;

/// @file
/// A training step of each model on the device beside the same on the CPU. In float64, so that the
/// two differ by the order of sums alone, which batch normalisation of three pixels amplifies.

namespace {

Tensor draw(const Shape& shape, const char* name, double low = -1, double high = 1) {
  Rng rng(1, name);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = low + (high - low) * rng.uniform();
  return Tensor::from(values, shape);
}

using Loss = std::function<Tensor(const nn::Module& model, Device device)>;

struct Step {
  double loss;
  std::vector<std::pair<std::string, std::vector<double>>> gradients, parameters;
};

// Forward, backward and one step of Adam.
Step step_of(nn::Module& model, const Loss& loss, Device device) {
  model.to(Dtype::float64);
  model.to(device);
  optim::Adam adam(model.named_parameters(), optim::AdamOptions{.lr = 1e-3});
  const RandomScope scope(1, 0);
  const Tensor value = loss(model, device);
  value.backward();
  Step step{value.to_vector<double>()[0], {}, {}};
  for (const auto& [name, tensor] : model.named_parameters())
    step.gradients.emplace_back(name, tensor.grad().to_vector<double>());
  adam.step();
  for (const auto& [name, tensor] : model.named_parameters())
    step.parameters.emplace_back(name, tensor.detach().to_vector<double>());
  return step;
}

// Largest difference beside the largest entry of the tensor.
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 1e-6, apart = 0;
  for (const double v : a) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < a.size(); ++i) apart = std::max(apart, std::abs(a[i] - b[i]));
  return apart / largest;
}

void check_step(const std::function<std::unique_ptr<nn::Module>()>& make, const Loss& loss) {
  const Step cpu = step_of(*make(), loss, {}), device = step_of(*make(), loss, Device::cuda());
  CHECK(device.loss == doctest::Approx(cpu.loss).epsilon(1e-8));
  REQUIRE(device.gradients.size() == cpu.gradients.size());
  for (size_t i = 0; i < cpu.gradients.size(); ++i) {
    INFO(cpu.gradients[i].first);
    CHECK(difference(cpu.gradients[i].second, device.gradients[i].second) <= 1e-4);
    // Adam's first step is the sign of the gradient, where that is not rounding.
    const auto& gradient = cpu.gradients[i].second;
    const auto &expected = cpu.parameters[i].second, &found = device.parameters[i].second;
    double largest = 0, apart = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    for (size_t k = 0; k < expected.size(); ++k)
      if (std::abs(gradient[k]) > 1e-3 * largest + 1e-6)
        apart = std::max(apart, std::abs(expected[k] - found[k]));
    CHECK(apart <= 1e-6);
  }
}

}  // namespace

TEST_CASE("models on the device: a training step of each classifier equals the CPU's") {
#ifdef CYTOGRAD_INSTRUMENTED
  const std::vector<const char*> names = {"resnet20"};
#else
  const std::vector<const char*> names = {"resnet18", "resnet50", "densenet121", "resnet20"};
#endif
  for (const char* name : names) {
    CAPTURE(name);
    const Tensor images = draw({3, 32, 32, 3}, "images");
    const auto make = [&]() -> std::unique_ptr<nn::Module> {
      return models::make_model(name, {.classes = 3, .embedding = 5, .seed = 1});
    };
    check_step(make, [&](const nn::Module& model, Device device) {
      const Tensor labels = Tensor::from(std::vector<int64_t>{2, 0, 1}).to(device);
      return cross_entropy(
          dynamic_cast<const models::ImageModel&>(model).forward(images.to(device)), labels);
    });
  }
}

TEST_CASE("models on the device: a training step of the RNA autoencoder equals the CPU's") {
  const Tensor x = draw({3, 70}, "x", 0, 1), reference = draw({3, 50}, "reference");
  const auto make = []() -> std::unique_ptr<nn::Module> {
    return std::make_unique<models::RnaVae>(70, 1);
  };
  check_step(make, [&](const nn::Module& module, Device device) {
    const auto& model = dynamic_cast<const models::RnaVae&>(module);
    const Tensor on_device = x.to(device);
    return models::rna_vae_loss(model.forward(on_device), on_device, reference.to(device));
  });
}

#ifndef CYTOGRAD_INSTRUMENTED  // minutes, and made of the same operations
TEST_CASE("models on the device: a training step of the image autoencoder equals the CPU's") {
  const Tensor h = draw({1, 14, 14, 256}, "features");
  const Tensor image = draw({1, 128, 128, 3}, "image", 0, 1);
  const Tensor mask = draw({1, 128, 128, 1}, "mask", 0, 1);
  const auto make = []() -> std::unique_ptr<nn::Module> {
    return std::make_unique<models::ImageVae>();
  };
  check_step(make, [&](const nn::Module& module, Device device) {
    const auto& model = dynamic_cast<const models::ImageVae&>(module);
    const Tensor features = h.to(device);
    return models::image_vae_loss(model.forward(features), features, image.to(device),
                                  mask.to(device));
  });
}
#endif
