#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/random_scope.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/registry.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/sgd.h"
#include "support/data.h"

using namespace cytograd;
using models::make_model;

namespace {

Tensor random_images(int64_t n, int64_t size, int64_t channels) {
  std::vector<float> values(static_cast<size_t>(n * size * size * channels));
  Rng rng(5, "images");
  for (float& value : values) value = static_cast<float>(rng.normal());
  return Tensor::from(values, {n, size, size, channels});
}

}  // namespace

TEST_CASE("parameter counts are torchvision's") {
  const std::pair<const char*, int64_t> counts[] = {
      {"resnet18", 11'689'512},    {"resnet34", 21'797'672},   {"resnet50", 25'557'032},
      {"resnet101", 44'549'160},   {"densenet121", 7'978'856}, {"densenet169", 14'149'480},
      {"densenet201", 20'013'928}, {"resnet20", 334'072},
  };
  CHECK(std::size(counts) == models::model_names().size());
  for (const auto& row : counts) {
    CAPTURE(row.first);
    CHECK(make_model(row.first, {.initialize = false})->parameter_count() == row.second);
  }
  CHECK_THROWS_AS(make_model("resnet17"), ValueError);
}

TEST_CASE("ResNet-20: shortcuts keep every second pixel between zero channels") {
  const auto model = make_model("resnet20", {.classes = 0, .initialize = false});
  // All filters zero: what is left of an image with the stem's output 1 is the chain of shortcuts.
  for (auto& [name, tensor] : model->state_dict())
    tensor.detach().fill_(name.ends_with("running_var") || name == "bn1.bias" ? 1 : 0);
  model->eval();
  const NoGrad no_grad;
  const std::vector<float> y = model->features(random_images(1, 32, 3)).to_vector<float>();
  for (size_t c = 0; c < 64; ++c) CHECK(y[c] == (c >= 24 && c < 40 ? 1 : 0));
}

TEST_CASE("the published ResNet-20 weights load") {
  const auto model = make_model("resnet20", {.classes = 10, .initialize = false});
  CHECK(model->parameter_count() == 269'722);
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const nn::LoadReport report =
      load_weights_into(*model, (*data / "pretrained_cifar10/resnet20-12fca82f.th").string());
  CHECK(report.renamed.size() == 97);  // all stand under "module."
  model->eval();
  const NoGrad no_grad;
  const Tensor logits = model->forward(random_images(2, 32, 3));
  for (const float value : logits.to_vector<float>()) CHECK(std::isfinite(value));
}

TEST_CASE("any number of channels and classes; embedding before the classifier") {
  for (const char* name : {"resnet18", "densenet121"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.in_channels = 4, .classes = 7, .embedding = 24});
    model->eval();
    const NoGrad no_grad;
    const Tensor images = random_images(2, 64, 4);
    CHECK(model->features(images).shape() == Shape{2, model->feature_count()});
    const Tensor embeddings = model->embed(images);
    CHECK(embeddings.shape() == Shape{2, 24});
    CHECK(model->embedding_count() == 24);
    const Tensor logits = model->forward(images);
    CHECK(logits.shape() == Shape{2, 7});
    CHECK(model->classify(embeddings).to_vector<float>() == logits.to_vector<float>());
    const auto state = model->state_dict();
    CHECK(state[state.size() - 4].first == "embedding.weight");
    CHECK(model->input_mean.size() == 4);
    CHECK_THROWS_AS(model->forward(random_images(1, 64, 3)), ShapeError);
  }
  const auto bare = make_model("resnet18", {.classes = 0});
  bare->eval();
  const NoGrad no_grad;
  CHECK(bare->forward(random_images(1, 32, 3)).shape() == Shape{1, 512});
}

TEST_CASE("initial weights depend on the seed and the name alone") {
  const auto weight = [](const models::ModelOptions& options, const std::string& name) {
    for (const auto& [n, tensor] : make_model("resnet18", options)->state_dict())
      if (n == name) return tensor.to_vector<float>();
    return std::vector<float>{};
  };
  const std::string name = "layer3.0.conv2.weight";
  const std::vector<float> base = weight({.seed = 1}, name);
  CHECK(base == weight({.classes = 3, .embedding = 9, .seed = 1}, name));
  CHECK(base != weight({.seed = 2}, name));
  CHECK(base != weight({.seed = 1}, "layer3.1.conv2.weight"));
  double squares = 0;
  for (const float value : base) squares += value * value;
  // He, fan out: variance 2 / (256 * 9); six standard errors of 589,824 draws are 1.1%.
  CHECK(squares / static_cast<double>(base.size()) == doctest::Approx(2.0 / 2304).epsilon(0.011));
}

TEST_CASE("a tiny batch is learnt by heart") {
  for (const char* name : {"resnet18", "densenet121"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.classes = 4, .embedding = 16, .dropout = 0.1, .seed = 3});
    optim::Sgd sgd(model->named_parameters(), {.lr = 0.05, .momentum = 0.9});
    const Tensor images = random_images(4, 32, 3);
    const Tensor labels = Tensor::from<int64_t>({2, 0, 3, 1});
    double first = 0, last = 0;
    for (uint64_t step = 0; step < 25; ++step) {
      const RandomScope scope(3, step);
      sgd.zero_grad();
      const Tensor loss = cross_entropy(model->forward(images), labels);
      loss.backward();
      sgd.step();
      last = loss.item();
      if (step == 0) first = last;
    }
    CHECK(first > 0.7);
    CHECK(last < 0.05);
  }
}

TEST_CASE("a network that recomputes needs less memory and gives the same bits") {
  const Tensor images = random_images(4, 64, 3), labels = Tensor::from<int64_t>({2, 0, 3, 1});
  for (const char* name : {"densenet121", "resnet18", "resnet50"}) {
    CAPTURE(name);
    std::vector<std::vector<double>> grads[2];
    size_t peak[2];
    for (const bool recompute : {false, true}) {
      const auto model = make_model(name, {.classes = 4, .recompute = recompute});
      const size_t before = memory_stats().in_use;
      reset_peak_memory();
      const Tensor loss = cross_entropy(model->forward(images), labels);
      peak[recompute] = memory_stats().in_use - before;  // the gradients come on top of this
      loss.backward();
      for (const auto& [parameter_name, parameter] : model->named_parameters())
        grads[recompute].push_back(parameter.grad().to_vector<double>());
      for (const auto& [buffer_name, buffer] : model->named_buffers())
        grads[recompute].push_back(buffer.to_vector<double>());
    }
    CHECK(grads[0] == grads[1]);
    CHECK(static_cast<double>(peak[1]) < 0.85 * static_cast<double>(peak[0]));
  }
}

TEST_CASE("frozen batch norm keeps its statistics and trains the rest") {
  const auto model = make_model("resnet18", {.classes = 2});
  model->freeze_batch_norm();
  const auto before = model->named_buffers();
  std::vector<std::vector<double>> values;
  for (const auto& [name, buffer] : before) values.push_back(buffer.to_vector<double>());
  cross_entropy(model->forward(random_images(2, 32, 3)), Tensor::from<int64_t>({0, 1})).backward();
  for (size_t i = 0; i < before.size(); ++i)
    CHECK(before[i].second.to_vector<double>() == values[i]);
  for (const auto& named : model->named_parameters()) {
    const std::string& name = named.first;
    const Tensor& parameter = named.second;
    CAPTURE(name);
    const bool norm =
        name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
    CHECK((parameter.requires_grad() && parameter.grad().defined()) == !norm);
  }
}
