#include "multimodal/run_files.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/io/text.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/environment.h"

namespace cytograd::multimodal {
namespace {

using Json = nlohmann::ordered_json;

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

Json texts(const std::vector<std::string>& values) {
  Json out = Json::array();
  for (const std::string& value : values) out.push_back(escape_control(value));
  return out;
}

TensorMap weights_of(const nn::Module& model) {
  nn::NamedTensors state = model.state_dict();
  for (auto& [name, tensor] : state) tensor = tensor.detach().to(Device::cpu());
  TensorMap out;
  for (const auto& [name, tensor] : nn::to_torch_layout(state)) out[name] = tensor;
  return out;
}

std::map<std::string, std::string> metadata_of(const std::string& arch) {
  return {{"cytograd.format", std::to_string(checkpoint_format)},
          {"cytograd.arch", arch},
          {"cytograd.build", build_info().version}};
}

double value_of(const Values& values, const std::string& name) {
  for (const auto& [key, value] : values)
    if (key == name) return value;
  return absent;
}

Json side_json(const SideResult& side) {
  const ModelQuality& q = side.quality;
  Json monitors = Json::object();
  for (const auto& [name, value] : side.monitors) monitors[name] = value;
  return {{"cells", side.cells->names.size()},
          {"train", side.cells->rows("train").size()},
          {"best_epoch", side.best_epoch},
          {"part", side.part},
          {"quality",
           {{"active_units", q.active_units},
            {"r2_mu", q.r2_mu},
            {"r2_z", q.r2_z},
            {"psnr", q.psnr},
            {"cosine", q.cosine},
            {"collapsed", q.collapsed}}},
          {"monitors", monitors}};
}

void add_side(TensorMap& tensors, Json& cells, const std::string& name, const SideResult& side) {
  tensors[name + ".mu"] = side.latents.mu;
  tensors[name + ".log_var"] = side.latents.log_var;
  tensors[name + ".labels"] = Tensor::from(side.cells->labels);
  std::vector<int64_t> roles;
  for (const std::string& role : side.cells->split)
    roles.push_back(role == "train" ? 0 : role == "val" ? 1 : 2);
  tensors[name + ".split"] = Tensor::from(roles);
  cells[name] = {{"names", texts(side.cells->names)}, {"classes", texts(side.cells->classes)}};
}

}  // namespace

ModelQuality quality_of(const Values& monitors) {
  ModelQuality out;
  out.active_units = static_cast<int64_t>(value_of(monitors, "active_units"));
  out.r2_mu = value_of(monitors, "r2_mu");
  out.r2_z = value_of(monitors, "r2_z");
  out.psnr = value_of(monitors, "psnr");
  out.cosine = value_of(monitors, "cosine_mu");
  out.collapsed = is_collapsed(out.active_units, out.r2_mu, out.r2_z) ||
                  is_collapsed(out.active_units, value_of(monitors, "feature_r2_mu"),
                               value_of(monitors, "feature_r2_z"));
  return out;
}

void write_rna_model(const std::string& path, const models::RnaVae& model,
                     const RnaSource& source) {
  auto metadata = metadata_of("rna_vae");
  metadata["cytograd.genes"] = texts(source.genes).dump();
  metadata["cytograd.deviation"] = Json(source.scale.deviation).dump();
  metadata["cytograd.clip"] = format_double(source.scale.clip);
  metadata["cytograd.low"] = format_double(source.scale.low);
  metadata["cytograd.high"] = format_double(source.scale.high);
  write_safetensors(path, weights_of(model), metadata);
}

void write_image_model(const std::string& path, const models::ImageVae& model,
                       const ImageSource& source) {
  auto metadata = metadata_of("image_vae");
  metadata["cytograd.detector"] = source.detector;
  write_safetensors(path, weights_of(model), metadata);
}

std::string results_json(const RunResult& result) {
  Json out;
  out["status"] = result.warnings.empty() ? "ok" : "warning";
  if (result.rna) out["rna"] = side_json(*result.rna);
  if (result.image) out["image"] = side_json(*result.image);
  out["pairs"] = Json::array();
  for (const PairResult& p : result.pairs)
    out["pairs"].push_back({{"name", escape_control(p.name)},
                            {"delta", p.delta},
                            {"image_cells", p.image_cells},
                            {"rna_cells", p.rna_cells},
                            {"mean_distance", p.mean_distance},
                            {"covariance_distance", p.covariance_distance},
                            {"skipped", p.skipped}});
  out["warnings"] = texts(result.warnings);
  return out.dump(2) + "\n";
}

void write_latents(const std::string& folder, const RunResult& result) {
  TensorMap tensors;
  Json cells = Json::object();
  if (result.rna) add_side(tensors, cells, "rna", *result.rna);
  if (result.image) add_side(tensors, cells, "image", *result.image);
  for (const PairResult& p : result.pairs) {
    const std::string name = "moments." + escape_control(p.name);
    tensors[name + ".mean"] = p.moments.mean;
    tensors[name + ".covariance"] = p.moments.covariance;
  }
  write_safetensors(folder + "/latents.safetensors", tensors);
  write_file_atomically(folder + "/cells.json", cells.dump() + "\n");
}

}  // namespace cytograd::multimodal
