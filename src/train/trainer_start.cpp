#include <algorithm>
#include <filesystem>
#include <map>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/trainer.h"

/// @file
/// What a training starts from: a weight file, or the network of an earlier stage.

namespace cytograd {

std::vector<std::string> Trainer::load_weights(const std::string& path) {
  // A classifier for other classes and an embedding of another length start anew.
  const auto head = [](std::string name) {
    if (name.starts_with("module.")) name.erase(0, 7);
    return name.starts_with("fc.") || name.starts_with("classifier.") ||
           name.starts_with("linear.") || name.starts_with("embedding.");
  };
  nn::NamedTensors state;
  const Weights weights = cytograd::load_weights(path);
  for (const auto& [name, tensor] : weights.tensors)
    if (name.find('/') == std::string::npos) state.emplace_back(name, tensor);
  const auto model_state = nn::to_torch_layout(model_->state_dict());
  std::vector<std::string> notes;
  nn::NamedTensors fitting;
  for (auto& [name, tensor] : state) {
    const std::string wanted = name.starts_with("module.") ? name.substr(7) : name;
    const auto mine = std::find_if(model_state.begin(), model_state.end(),
                                   [&wanted](const auto& entry) { return entry.first == wanted; });
    const bool absent = mine == model_state.end();
    if (head(name) && (absent || mine->second.shape() != tensor.shape())) {
      notes.push_back(name + " does not fit and starts from random values");
      continue;
    }
    fitting.emplace_back(name, tensor);
  }
  nn::LoadOptions options;
  options.file = path;
  options.allow_missing = {"fc.*", "classifier.*", "linear.*", "embedding.*"};
  options.allow_missing.insert(options.allow_missing.end(), config_.allow_missing.begin(),
                               config_.allow_missing.end());
  if (config_.domain_bn)
    options.allow_missing.insert(options.allow_missing.end(), {"*.domain_mean", "*.domain_var"});
  const nn::LoadReport report =
      nn::load_state_dict(*model_, nn::from_torch_layout(fitting), options);
  for (const auto& [from, to] : report.renamed) notes.push_back(from + " was read as " + to);
  for (const std::string& name : report.missing)
    if (nn::detail::matches_any(config_.allow_missing, name))
      notes.push_back(name + " is not in the file and starts from random values");
  if (std::find_if(report.missing.begin(), report.missing.end(), [](const std::string& name) {
        return name.ends_with(".domain_mean");
      }) != report.missing.end())
    model_->restart_domains();
  if (ema_) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  return notes;
}

namespace {

// The checkpoint that a path means: a file, or the best one of a run.
std::string stage_file(const std::string& path) {
  std::error_code error;
  const auto missing = [&](const std::string& found) {
    return ConfigError(Fault{"cfg", path, "", found, "a run of boda, or a checkpoint of one",
                             "leave --stage1 out to train it first"});
  };
  if (!std::filesystem::exists(path, error)) throw missing("method.stage1 does not exist");
  if (!std::filesystem::is_directory(path, error)) return path;
  const CheckpointStore store(path);
  for (const char* which : {"best", "last"})
    if (store.has(which)) return store.resolve(which);
  throw missing("method.stage1 has no checkpoint");
}

}  // namespace

void Trainer::load_first_stage(const std::string& path) {
  const std::string file = stage_file(path);
  const Checkpoint stage = read_checkpoint(file);
  check<ShapeError>(stage.classes.size() == task_.dataset.classes.size(), "stage 1",
                    escape_control(file), " expects ", task_.dataset.classes.size(),
                    " classes, got ", stage.classes.size());
  std::map<std::string, Tensor> found;
  for (const auto& [name, tensor] : nn::from_torch_layout(stage.part("")))
    found.insert_or_assign(name, tensor);
  // Averaged weights where the run keeps them, as in its evaluation.
  for (const auto& [name, tensor] : nn::from_torch_layout(stage.part("ema/")))
    if (found.contains(name)) found.insert_or_assign(name, tensor);
  const NoGrad no_grad;
  for (const auto& [name, tensor] : model_->state_dict()) {
    if (models::stage_of(name) == models::classifier_stage) continue;
    const auto at = found.find(name);
    check<ShapeError>(at != found.end() && at->second.shape() == tensor.shape(), "stage 1",
                      escape_control(file), ": ", name, " expects ", tensor.shape(), ", got ",
                      at == found.end() ? Shape{} : at->second.shape());
    tensor.copy_(at->second);
  }
  if (ema_) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  has_first_stage_ = true;
}

}  // namespace cytograd
