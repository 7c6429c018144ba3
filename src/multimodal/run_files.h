#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cytograd/losses/alignment.h"
#include "cytograd/models/image_vae.h"
#include "cytograd/models/rna_vae.h"
#include "cytograd/multimodal/run.h"
#include "cytograd/multimodal/trainer.h"
#include "multimodal/quality.h"

/// @file
/// The files of a finished run; all are written atomically.

namespace cytograd::multimodal {

/// A side of the training at its end.
struct SideResult {
  const CellSource* cells = nullptr;
  models::Posterior latents;  ///< of all cells
  Values monitors;            ///< of held-back cells
  std::string part;           ///< which those are: "test", "val" or "train"
  ModelQuality quality;
  int64_t best_epoch = 0;
};

/// A pair at the end.
struct PairResult {
  std::string name;
  int64_t image_cells = 0, rna_cells = 0;             ///< that were trained on
  double delta = 0, skipped = 0;                      ///< share of steps that it was left out of
  double mean_distance = 0, covariance_distance = 0;  ///< of all training cells' posteriors
  losses::ClassMoments moments;                       ///< of the RNA side
};

struct RunResult {
  std::optional<SideResult> rna, image;
  std::vector<PairResult> pairs;
  std::vector<std::string> warnings;
};

/// Weights under PyTorch's names and layout; genes and scale of an RNA VAE are in the metadata.
void write_rna_model(const std::string& path, const models::RnaVae& model, const RnaSource& source);
/// The detector whose features it was trained on is in the metadata.
void write_image_model(const std::string& path, const models::ImageVae& model,
                       const ImageSource& source);
std::string results_json(const RunResult& result);
/// latents.safetensors and cells.json.
void write_latents(const std::string& folder, const RunResult& result);

/// "active_units" and so on of `monitors`, with the judgement.
ModelQuality quality_of(const Values& monitors);

}  // namespace cytograd::multimodal
