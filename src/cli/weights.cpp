#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/common.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/registry.h"

/// @file
/// `cyto weights`: what is in a weight file, and safetensors from any.

namespace cytograd::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions : CommonOptions {
  std::string file, model;
};

struct ConvertOptions : CommonOptions {
  std::string file, target;
};

int64_t count_non_finite(const Tensor& tensor) {
  if (!is_floating(tensor.dtype())) return 0;
  int64_t count = 0;
  for (const double value : tensor.to_vector<double>()) count += !std::isfinite(value);
  return count;
}

struct Summary {
  int64_t values = 0, non_finite = 0;
  int64_t bytes = 0;
};

Summary summarize(const Weights& weights) {
  Summary out;
  for (const auto& [name, tensor] : weights.tensors) {
    out.values += tensor.numel();
    out.bytes += static_cast<int64_t>(tensor.bytes());
    out.non_finite += count_non_finite(tensor);
  }
  return out;
}

std::string text_of(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

// The model of this name with as many classes and input channels as the file has.
nn::LoadReport compare(const Weights& weights, const InspectOptions& o) {
  models::ModelOptions options{.initialize = false};
  for (const auto& [name, tensor] : weights.tensors) {
    if (name.find('/') != std::string::npos) continue;
    if (name.ends_with("fc.weight") || name.ends_with("classifier.weight") ||
        name.ends_with("linear.weight"))
      options.classes = tensor.size(0);
    if (name.ends_with("embedding.weight")) options.embedding = tensor.size(0);
    if ((name.ends_with("conv1.weight") || name.ends_with("conv0.weight")) && tensor.ndim() == 4 &&
        name.find("layer") == std::string::npos)
      options.in_channels = tensor.size(1);
  }
  const auto model = models::make_model(o.model, options);
  // A checkpoint of a run holds more than the model, under names with a slash.
  nn::NamedTensors state;
  for (const auto& [name, tensor] : weights.tensors)
    if (name.find('/') == std::string::npos) state.emplace_back(name, tensor);
  return nn::load_state_dict(*model, nn::from_torch_layout(state), {.file = o.file});
}

Json names_json(const std::vector<std::string>& names) {
  Json out = Json::array();
  for (const std::string& name : names) out.push_back(escape_control(name));
  return out;
}

void print_json(const Weights& weights, const Summary& summary, const nn::LoadReport* report) {
  Json json = {{"format", weights.format},
               {"n", weights.tensors.size()},
               {"values", summary.values},
               {"bytes", summary.bytes},
               {"non_finite", summary.non_finite}};
  json["metadata"] = Json::object();
  for (const auto& [key, value] : weights.metadata)
    json["metadata"][escape_control(key)] = escape_control(value);
  json["tensors"] = Json::array();
  for (const auto& [name, tensor] : weights.tensors)
    json["tensors"].push_back(
        {{"name", escape_control(name)},
         {"dtype", name_of(tensor.dtype())},
         {"shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end())}});
  json["converted"] = names_json(weights.converted);
  json["ignored"] = names_json(weights.ignored);
  if (report) {
    json["renamed"] = Json::object();
    for (const auto& [from, to] : report->renamed) json["renamed"][escape_control(from)] = to;
  }
  console().out(json.dump(2) + "\n");
}

void print_text(const Weights& weights, const Summary& summary) {
  std::ostringstream out;
  out << "format     " << weights.format << "\ntensors    " << weights.tensors.size()
      << "\nvalues     " << summary.values << "\nsize       "
      << human_bytes(static_cast<double>(summary.bytes)) << "\n";
  for (const auto& [key, value] : weights.metadata)
    out << "metadata   " << escape_control(key) << " = " << escape_control(value) << "\n";
  size_t width = 4;
  for (const auto& [name, tensor] : weights.tensors)
    width = std::max(width, escape_control(name).size());
  out << "\n";
  for (const auto& [name, tensor] : weights.tensors) {
    const std::string shown = escape_control(name), dtype = name_of(tensor.dtype());
    out << shown << std::string(width + 2 - shown.size(), ' ') << dtype
        << std::string(10 - std::min<size_t>(dtype.size(), 9), ' ') << text_of(tensor.shape())
        << "\n";
  }
  console().out(out.str());
}

void say_changes(const Weights& weights) {
  if (!weights.converted.empty())
    console().note(std::to_string(weights.converted.size()) +
                   " tensors changed their element type on reading");
  if (!weights.ignored.empty())
    console().note(std::to_string(weights.ignored.size()) +
                   " tensors beside the state dict are left out");
}

void inspect(InspectOptions& o) {
  const Weights weights = load_weights(o.file);
  const Summary summary = summarize(weights);
  nn::LoadReport report;
  if (!o.model.empty()) report = compare(weights, o);
  if (o.json)
    print_json(weights, summary, o.model.empty() ? nullptr : &report);
  else
    print_text(weights, summary);
  say_changes(weights);
  if (summary.non_finite > 0)
    console().warn(std::to_string(summary.non_finite) + " values are not finite");
  if (!o.model.empty())
    console().note("the file fits " + o.model + ", " + std::to_string(report.renamed.size()) +
                   " tensors under other names");
}

void convert(ConvertOptions& o) {
  for (const char* ending : {".pth", ".pt", ".th", ".bin"})
    if (o.target.ends_with(ending))
      throw ConfigError(
          "only safetensors is written; expected a name ending in .safetensors, got " +
          escape_control(o.target) + " [cli]");
  require_new_file(o.target, o.force);
  const Weights weights = load_weights(o.file);
  save_weights(o.target, weights.tensors, weights.metadata);
  say_changes(weights);
  if (o.json)
    console().out(Json{{"n", weights.tensors.size()}, {"output", escape_control(o.target)}}.dump() +
                  "\n");
  say_next({std::to_string(weights.tensors.size()) + " tensors to " + o.target},
           "cyto weights inspect " + o.target);
}

}  // namespace

/// Adds `cyto weights`.
void add_weights_command(CommandLine app) {
  CommandLine weights = add_command(app, "weights", "Look into weight files and convert them",
                                    "cyto weights inspect resnet50.pth\n"
                                    "cyto weights convert resnet50.pth resnet50.safetensors\n");
  weights.require_subcommand(1);

  auto i = std::make_shared<InspectOptions>();
  CommandLine part = add_command(weights, "inspect", "Format, metadata, names, shapes",
                                 "cyto weights inspect resnet50.pth --model resnet50\n");
  part.add_option("file", i->file, "Weight file: safetensors, .pth, .pt, .th").required();
  part.add_option("--model", i->model, "Also check that the weights fit this model");
  add_common_options(part, *i, with_nothing);
  run_command(part, i, inspect);

  auto c = std::make_shared<ConvertOptions>();
  part = add_command(weights, "convert", "Write the tensors of any weight file as safetensors",
                     "cyto weights convert resnet50.pth resnet50.safetensors\n");
  part.add_option("file", c->file, "Weight file to read").required();
  part.add_option("target", c->target, "Safetensors file to write").required();
  add_common_options(part, *c, with_force);
  run_command(part, c, convert);
}

namespace {
const Command registered{80, add_weights_command};
}

}  // namespace cytograd::cli
