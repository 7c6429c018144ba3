#include "cytograd/train/pretraining.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/synth/cells.h"
#include "cytograd/train/method.h"

namespace cytograd {

bool is_pretraining(const TrainConfig& config) {
  return config.synthetic > 0 || self_supervised(config);
}

int64_t write_backbone(const std::string& path, const TrainedModel& trained) {
  nn::NamedTensors body;
  for (const auto& [name, tensor] : trained.model->state_dict()) {
    const int64_t stage = models::stage_of(name);
    const bool of_domains = name.ends_with(".domain_mean") || name.ends_with(".domain_var");
    if (stage == models::classifier_stage || stage == models::embedding_stage || of_domains)
      continue;
    body.emplace_back(name, tensor.to(Device::cpu()));
  }
  TensorMap tensors;
  for (const auto& [name, tensor] : nn::to_torch_layout(body)) tensors.emplace(name, tensor);
  save_weights(path, tensors,
               {{"cytograd.model", trained.config.model},
                {"cytograd.method", trained.config.method},
                {"cytograd.epoch", std::to_string(trained.epoch)}});
  return static_cast<int64_t>(tensors.size());
}

int64_t world_image_size(const TrainConfig& config) {
  return std::clamp<int64_t>(config.image_size * 5 / 4, 32, 2048);
}

void draw_world(const TrainConfig& config, const ProgressCallback& progress) {
  check<ValueError>(config.synthetic > 0 && config.data.size() == 1, "draw_world",
                    "expects data.synthetic and the manifest to write in data.path");
  const std::filesystem::path manifest(config.data[0]);
  if (std::filesystem::exists(manifest)) return;  // it is written last
  synth::CellSetOptions options;
  options.output = manifest.parent_path();
  options.count = config.synthetic;
  options.size = static_cast<int>(world_image_size(config));
  options.seed = static_cast<uint64_t>(config.seed);
  options.random_stains = true;
  options.format = "jpg";
  options.progress = progress;
  synth::write_cells(options);
}

}  // namespace cytograd
