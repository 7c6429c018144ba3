#include "train/diverged.h"

#include <algorithm>
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

// What is saved must hold UTF-8.
std::string joined(const std::vector<std::string>& names, size_t most, const char* separator) {
  std::string out;
  for (size_t i = 0; i < std::min(most, names.size()); ++i)
    out += (i ? separator : "") + escape_control(names[i]);
  if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
  return out;
}

// "; batch saved to PATH", or why it was not: what diverged matters more.
std::string saved(const DivergedStep& step) {
  const std::string path = step.folder + "/diverged.safetensors";
  TensorMap batch;
  for (const auto& [name, tensor] : step.inputs) batch[name] = tensor.to(Device::cpu());
  try {
    write_safetensors(path, batch,
                      {{step.kind, joined(step.names, step.names.size(), "\n")},
                       {"step", std::to_string(step.step)}});
  } catch (const FileError& e) {
    return std::string("; the batch could not be saved: ") + e.what();
  }
  return "; batch saved to " + escape_control(path);
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
  std::string text = step.training + " diverged at epoch " + std::to_string(step.epoch) +
                     ", step " + std::to_string(step.step) + ": loss";
  for (const auto& [name, value] : step.terms)
    text += (name.empty() ? "" : " " + name) + " " + format_double(value);
  text += "; lr " + format_double(step.lr) + "; gradient norm " +
          (step.grad_norm ? format_double(*step.grad_norm) : "not computed") +
          "; first value that is not finite in " + first_non_finite(step.inputs, *step.model) +
          "; " + step.kind + " " + joined(step.names, 8, ", ");
  if (!step.folder.empty()) text += saved(step) + "; the last checkpoint is good";
  throw DivergedError(text + "; try a smaller " + step.hint + " [nan]");
}

}  // namespace cytograd
