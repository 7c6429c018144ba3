#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/io/safetensors.h"
#include "cytograd/nn/module.h"

namespace cytograd {

/// What is known of a step whose loss or gradient is not finite.
struct DivergedStep {
  std::string training = "training";                  ///< which one
  int64_t epoch = 0, step = 0;                        ///< from 1
  std::vector<std::pair<std::string, double>> terms;  ///< of the loss; "" is their sum
  double lr = 0;
  std::optional<double> grad_norm;    ///< absent: the loss failed before
  TensorMap inputs;                   ///< of the batch
  const nn::Module* model = nullptr;  ///< with the gradients of the step
  std::string kind = "samples";       ///< what the batch is made of
  std::vector<std::string> names;     ///< of these, in the order of the batch
  std::string folder;                 ///< where to save the batch; empty: nowhere
  std::string hint;                   ///< options that may help
};

/// The first place with a value that is not finite, in the order of the forward pass: an input
/// ("the input images" of {"images", ...}), a parameter, the running statistics of a normalisation
/// that has just seen such activations, the gradient of a parameter; "the loss" if none has one.
std::string first_non_finite(const TensorMap& inputs, const nn::Module& model);

/// Saves the batch (FOLDER/diverged.safetensors) and throws DivergedError.
[[noreturn]] void throw_diverged(const DivergedStep& step);

}  // namespace cytograd
