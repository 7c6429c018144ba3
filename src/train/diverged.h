#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/data/loader.h"
#include "cytograd/models/image_model.h"

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

/// The first place with a value that is not finite, in the order of the forward pass: the input, a
/// parameter, the running statistics of a normalisation that has just seen such activations, the
/// gradient of a parameter.
std::string first_non_finite(const models::ImageModel& model, const Batch& batch);

/// Saves the batch and throws DivergedError.
[[noreturn]] void throw_diverged(const DivergedStep& step);

}  // namespace cytograd
