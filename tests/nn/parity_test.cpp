#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <memory>

#include "cytograd/models/registry.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/optim/clip.h"

using namespace cytograd;

/// @file
/// The models against torchvision's, weights and image filled by a hash that
/// tests/reference/torchvision_parity.py repeats.

namespace {

uint64_t name_hash(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

// Uniform in [-1, 1): splitmix64 of the name's hash plus the index, upper 24 bits.
std::vector<double> noise(const std::string& name, int64_t count) {
  const uint64_t base = name_hash(name);
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t z = base + (i + 1) * 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    z = z ^ (z >> 31);
    values[i] = static_cast<double>(z >> 40) * 0x1p-23 - 1;
  }
  return values;
}

// A tensor of a state dict in PyTorch's layout.
Tensor filled(const std::string& name, const Shape& shape) {
  std::vector<double> values = noise(name, shape.numel());
  double offset = 0, factor = 0.1;
  if (name.ends_with("running_var"))
    offset = 1, factor = 0.25;
  else if (name.ends_with("running_mean"))
    factor = 0.05;
  else if (shape.ndim() >= 2)
    factor = std::sqrt(6.0 / static_cast<double>(shape.numel() / shape[0]));
  else if (name.ends_with("weight"))
    offset = 1;
  for (double& value : values) value = offset + factor * value;
  return Tensor::from(values, shape);
}

struct Expected {
  const char* name;
  size_t tensors;
  uint64_t names;
  std::array<double, 4> eval_logits;
  double eval_checksum;
  std::array<double, 4> train_logits;
  double train_checksum, loss, gradient_norm, first_gradient_norm, running_sum;
};

// Printed by tests/reference/torchvision_parity.py (float64).
constexpr Expected all_expected[] = {
    {"resnet18",
     122,
     0x240ac42e16f092bcull,
     {-1.9732464, -15.408577, -18.1622526, 7.22930211},
     466.743216,
     {-0.452714007, -0.32823841, -0.300788757, -0.296123697},
     84.1645701,
     7.71372623,
     50.0679242,
     15.9581543,
     4933.35581},
    {"resnet50",
     320,
     0xc4167e671ae9e860ull,
     {-827.691602, -1328.47511, 957.646285, 279.718428},
     -68748.1269,
     {-0.896204415, -2.20223096, 1.75177412, -0.156960159},
     -99.9750082,
     8.93060376,
     850.209797,
     469.988,
     27665.7156},
    {"densenet121",
     727,
     0x28480094884c295ull,
     {0.109430337, 0.290647289, -0.851110535, 2.24767536},
     -17.8694773,
     {-0.356519534, -0.27320602, 0.244166493, 0.864612012},
     -1.36450398,
     7.01407863,
     60.2145763,
     26.9018081,
     39645.0213},
};

// Sum of logits weighted by cosines, so that a permutation shows.
double checksum(const std::vector<double>& logits) {
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) sum += logits[i] * std::cos(static_cast<double>(i));
  return sum;
}

void check_near(double actual, double expected, double tolerance) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

template <size_t n>
void check_logits(const Tensor& logits, const std::array<double, n>& first, double sum,
                  double tolerance) {
  const std::vector<double> values = logits.to_vector<double>();
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < n; ++i) check_near(values[i], first[i], tolerance * largest);
  // Errors of the 4000 terms are independent: they grow as the square root of their number.
  check_near(checksum(values), sum, 64 * tolerance * largest);
}

void check_model(const Expected& expected, Dtype dtype) {
  const bool exact = dtype == Dtype::float64;
  const auto model = models::make_model(expected.name, {.initialize = false});
  nn::NamedTensors state;
  uint64_t names = 0;
  for (const auto& [name, tensor] : nn::to_torch_layout(model->state_dict())) {
    names = names * 31 + name_hash(name);
    state.emplace_back(name, is_floating(tensor.dtype()) ? filled(name, tensor.shape()) : tensor);
  }
  CHECK(state.size() == expected.tensors);
  CHECK(names == expected.names);  // names and their order
  nn::load_state_dict(*model, nn::from_torch_layout(state));
  model->to(dtype);  // after rounding the weights to float32, as in the script
  const Tensor image = Tensor::from(noise("image", 4 * 96 * 96 * 3), {4, 96, 96, 3}).to(dtype);

  model->eval();
  {
    const NoGrad no_grad;
    check_logits(model->forward(image), expected.eval_logits, expected.eval_checksum,
                 exact ? 1e-8 : 1e-4);
  }
  model->train();
  const Tensor logits = model->forward(image);
  check_logits(logits.detach(), expected.train_logits, expected.train_checksum,
               exact ? 1e-8 : 1e-4);
  const Tensor labels = Tensor::from<int64_t>({3, 141, 592, 999});
  const Tensor loss = cross_entropy(logits, labels);
  check_near(loss.item(), expected.loss, (exact ? 1e-8 : 1e-4) * expected.loss);
  loss.backward();
  // Float32 rounding flips the sign of ReLU inputs near 0; PyTorch's own float32 gradients are off
  // by up to 9e-4 here.
  const double bound = exact ? 1e-7 : 3e-3;
  const nn::NamedTensors parameters = model->named_parameters();
  check_near(optim::grad_norm(parameters), expected.gradient_norm, bound * expected.gradient_norm);
  check_near(optim::grad_norm({parameters.front()}), expected.first_gradient_norm,
             bound * expected.first_gradient_norm);
  double running = 0;
  for (const auto& [name, buffer] : model->named_buffers())
    if (name.find("running_") != std::string::npos)
      for (const double value : buffer.to_vector<double>()) running += value;
  check_near(running, expected.running_sum, (exact ? 1e-8 : 1e-5) * expected.running_sum);
}

}  // namespace

TEST_CASE("float64 models equal torchvision's") {
  for (const Expected& expected : all_expected) {
    CAPTURE(expected.name);
    check_model(expected, Dtype::float64);
  }
}

TEST_CASE("float32 models equal torchvision's") {
  for (const Expected& expected : all_expected) {
    CAPTURE(expected.name);
    check_model(expected, Dtype::float32);
  }
}
