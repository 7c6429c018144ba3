#include "cytograd/nn/module.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/nn/activation.h"
#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/dropout.h"
#include "cytograd/nn/linear.h"
#include "cytograd/nn/sequential.h"
#include "cytograd/nn/state_dict.h"

using namespace cytograd;

namespace {

std::vector<std::string> names(const nn::NamedTensors& tensors) {
  std::vector<std::string> out;
  for (const auto& [name, tensor] : tensors) out.push_back(name);
  return out;
}

// conv, norm, relu, one dense layer.
struct Small : nn::Sequential {
  Small() {
    add<nn::Conv2d>("conv", 2, 4, 3);
    add<nn::BatchNorm2d>("norm", 4);
    add<nn::ReLU>("relu");
    add<nn::Sequential>("tail").push<nn::Linear>(4, 3);
  }
};

std::string message_of(const nn::Module& model, const nn::NamedTensors& state,
                       const nn::LoadOptions& options = {}) {
  try {
    nn::load_state_dict(model, state, options);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("names, order and counts") {
  Small model;
  CHECK(names(model.state_dict()) ==
        std::vector<std::string>{"conv.weight", "conv.bias", "norm.weight", "norm.bias",
                                 "norm.running_mean", "norm.running_var",
                                 "norm.num_batches_tracked", "tail.0.weight", "tail.0.bias"});
  CHECK(names(model.named_buffers()).size() == 3);
  CHECK(model.parameter_count() == 4 * 9 * 2 + 4 + 4 + 4 + 12 + 3);
  CHECK_THROWS_AS(model.add<nn::ReLU>("relu"), ValueError);
  CHECK_THROWS_AS(model.add<nn::ReLU>("a.b"), ValueError);
  CHECK_THROWS_AS(nn::Conv2d(3, 4, 3, {.groups = 2}), ValueError);
  CHECK_THROWS_AS(nn::Dropout(1.0), ValueError);
}

TEST_CASE("modes, gradients and dtype reach every part") {
  Small model;
  model.initialize(1);
  model.eval();
  model.for_each([](const std::string&, const nn::Module& m) { CHECK(!m.training()); });
  model.train();
  for (const auto& [name, p] : model.named_parameters()) p.set_grad(Tensor::ones(p.shape()));
  model.zero_grad();
  for (const auto& [name, p] : model.named_parameters()) CHECK(!p.grad().defined());
  model.to(Dtype::float64);
  for (const auto& named : model.state_dict()) {
    const std::string& name = named.first;
    const Tensor& t = named.second;
    CAPTURE(name);
    CHECK(t.dtype() == (name == "norm.num_batches_tracked" ? Dtype::int64 : Dtype::float64));
    CHECK(t.requires_grad() ==
          (name.find("running") == std::string::npos && name.find("tracked") == std::string::npos));
  }
}

TEST_CASE("weights are NaN until they are initialised") {
  nn::Linear layer(3, 2);
  CHECK(std::isnan(layer.weight.to_vector<float>()[0]));
  layer.initialize(1);
  for (const float w : layer.weight.to_vector<float>()) CHECK(std::abs(w) <= 1 / std::sqrt(3.0f));
}

TEST_CASE("batch norm counts its batches") {
  nn::BatchNorm2d norm(2);
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6, 7, 9}, {2, 2, 1, 2});
  norm.forward(x);
  norm.forward(x);
  CHECK(norm.num_batches_tracked.to_vector<int64_t>()[0] == 2);
  norm.eval();
  norm.forward(x);
  CHECK(norm.num_batches_tracked.to_vector<int64_t>()[0] == 2);
  // Mean 4 and 5.25; 1 - 0.9^2 of the way after two batches.
  CHECK(norm.running_mean.to_vector<float>()[0] == doctest::Approx(0.19 * 4));
  CHECK(norm.running_mean.to_vector<float>()[1] == doctest::Approx(0.19 * 5.25));
}

TEST_CASE("PyTorch's layout and back") {
  const Tensor filter = Tensor::from<float>({0, 1, 2, 3, 4, 5, 6, 7}, {1, 2, 2, 2});  // O H W I
  const nn::NamedTensors torch = nn::to_torch_layout({{"w", filter}});
  CHECK(torch[0].second.to_vector<float>() == std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7});
  CHECK(nn::from_torch_layout(torch)[0].second.to_vector<float>() == filter.to_vector<float>());
}

TEST_CASE("loading copies, converts and reports") {
  Small from, to;
  from.initialize(1);
  to.initialize(2);
  nn::NamedTensors state;
  for (const auto& [name, tensor] : from.state_dict())
    if (name != "norm.num_batches_tracked")
      state.emplace_back("module." + name,
                         name == "conv.bias" ? tensor.to(Dtype::float64) : tensor);
  const nn::LoadReport report = nn::load_state_dict(to, state);
  CHECK(report.renamed.size() == 8);
  CHECK(report.renamed[0] ==
        std::pair<std::string, std::string>{"module.conv.weight", "conv.weight"});
  CHECK(report.missing == std::vector<std::string>{"norm.num_batches_tracked"});
  CHECK(report.converted == std::vector<std::string>{"conv.bias: float64 to float32"});
  for (size_t i = 0; i < 2; ++i)
    CHECK(to.state_dict()[i].second.to_vector<float>() ==
          from.state_dict()[i].second.to_vector<float>());
}

TEST_CASE("pt.keys: missing, unexpected and wrong shapes are listed, and nothing changes") {
  Small model;
  model.initialize(1);
  const std::vector<float> before = model.state_dict()[1].second.to_vector<float>();
  nn::NamedTensors state = model.state_dict();
  state[1].second = Tensor::zeros({4});
  state[7].second = Tensor::zeros({5, 4});
  state.erase(state.begin() + 2);
  state.emplace_back("extra", Tensor::zeros({1}));
  CHECK(
      message_of(model, state, {.file = "w.pth"}) ==
      "w.pth: state dict: 1 missing: norm.weight | 1 unexpected: extra | 1 of another shape: "
      "tail.0.weight is [5, 4], the model has [3, 4]; expected the 9 tensors of the model; choose "
      "the model that the weights belong to; cyto weights inspect lists them "
      "[pt.keys]");
  CHECK(model.state_dict()[1].second.to_vector<float>() == before);
  state[6].second = Tensor::zeros({3, 4});
  CHECK(message_of(model, state) != "");
  CHECK(message_of(model, state, {.allow_missing = {"norm.*"}, .allow_unexpected = {"ext*"}}) ==
        "");
  const nn::LoadReport report = nn::load_state_dict(model, state, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"norm.weight"});
  CHECK(report.unexpected == std::vector<std::string>{"extra"});
  state.push_back(state[0]);
  CHECK(message_of(model, state, {.strict = false}).find("given twice: conv.weight") !=
        std::string::npos);
}

TEST_CASE("old DenseNet names") {
  CHECK(nn::detail::other_names("module.features.denseblock1.denselayer2.norm.1.weight") ==
        std::vector<std::string>{"features.denseblock1.denselayer2.norm.1.weight",
                                 "features.denseblock1.denselayer2.norm1.weight"});
  CHECK(nn::detail::other_names("features.transition1.norm.weight").empty());
  CHECK(nn::matches("features.*.norm?", "features.a.b.norm?"));
  CHECK(!nn::matches("features.*.norm", "features.a.norm1"));
  CHECK(nn::matches("**", ""));
}
