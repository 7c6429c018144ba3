#include "train/diverged.h"

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

bool all_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return true;
  for (const double value : tensor.to_vector<double>())
    if (!std::isfinite(value)) return false;
  return true;
}

// A checkpoint of a run, and so the batch too, must hold UTF-8.
std::string sample_names(const DivergedStep& step, size_t most, const char* separator) {
  std::string out;
  const auto& indices = step.batch->indices;
  for (size_t i = 0; i < indices.size() && i < most; ++i)
    out += (i ? separator : "") +
           escape_control(step.dataset->samples[static_cast<size_t>(indices[i])].id);
  if (indices.size() > most) out += " and " + std::to_string(indices.size() - most) + " more";
  return out;
}

}  // namespace

std::string first_non_finite(const TensorMap& inputs, const nn::Module& model) {
  for (const auto& [name, tensor] : inputs)
    if (!all_finite(tensor)) return "the input " + name;
  for (const auto& [name, tensor] : model.state_dict())
    if (!all_finite(tensor)) return name;
  for (const auto& [name, tensor] : model.named_parameters())
    if (const Tensor grad = tensor.grad(); grad.defined() && !all_finite(grad))
      return "the gradient of " + name;
  return "the loss";
}

void throw_diverged(const DivergedStep& step) {
  std::string text = "training diverged at epoch " + std::to_string(step.epoch) + ", step " +
                     std::to_string(step.step) + ": loss";
  for (const auto& [name, value] : step.terms) text += " " + name + " " + format_double(value);
  text += "; lr " + format_double(step.lr) + "; gradient norm " +
          (step.grad_norm ? format_double(*step.grad_norm) : "not computed") +
          "; first value that is not finite in " + step.layer + "; samples " +
          sample_names(step, 8, ", ");
  if (!step.folder.empty()) {
    const std::string path = step.folder + "/diverged.safetensors";
    write_safetensors(path,
                      {{"images", step.batch->images.to(Device::cpu())},
                       {"labels", step.batch->labels.to(Device::cpu())}},
                      {{"samples", sample_names(step, step.batch->indices.size(), "\n")},
                       {"step", std::to_string(step.step)}});
    text += "; batch saved to " + escape_control(path) + "; the last checkpoint is good";
  }
  throw DivergedError(text + "; try a smaller --lr or --clip-norm 1 [nan]");
}

}  // namespace cytograd
