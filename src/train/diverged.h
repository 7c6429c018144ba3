#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/data/loader.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/nn/module.h"

namespace cytograd {

/// What is known of a step whose loss or gradient is not finite.
struct DivergedStep {
  const Batch* batch = nullptr;
  const Dataset* dataset = nullptr;
  std::vector<std::pair<std::string, double>> terms;
  double lr = 0;
  std::optional<double> grad_norm;  ///< absent: the loss failed before
  int64_t epoch = 0, step = 0;
  std::string layer;
  std::string folder;  ///< where to save the batch; empty: nowhere
};

/// The first place with a value that is not finite, in the order of the forward pass: an input
/// ("the input images" of {"images", ...}), a parameter, the running statistics of a normalisation
/// that has just seen such activations, the gradient of a parameter; "the loss" if none has one.
std::string first_non_finite(const TensorMap& inputs, const nn::Module& model);

/// Saves the batch and throws DivergedError.
[[noreturn]] void throw_diverged(const DivergedStep& step);

}  // namespace cytograd
