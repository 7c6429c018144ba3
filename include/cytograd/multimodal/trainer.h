#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/multimodal/image_cells.h"
#include "cytograd/multimodal/options.h"
#include "cytograd/multimodal/rna_cells.h"
#include "cytograd/train/run_folder.h"
#include "cytograd/train/run_log.h"

/// @file
/// Training of the multimodal method (Mert et al., "Multimodal Analysis of White Blood Cell
/// Differentiation in AML Patients using a beta-VAE"): first the RNA VAE, whose classes' moments
/// are then fixed, then the image VAE, whose latents are moved onto them; docs/multimodal.md.

namespace cytograd::multimodal {

/// Parts of a data set, one of "train", "val", "test" per cell.
struct CellSplit {
  std::vector<std::string> roles;
  std::vector<std::string> notes;  ///< what the user should know
  std::vector<int64_t> rows(const std::string& role) const;
};
/// Whole donors where at least three are known, the smallest numbers of them that hold the shares
/// wanted; else by cell, stratified by class, with a note. Deterministic by seed.
/// @param groups  one per cell, or empty
/// @param digests  one per cell, or empty; cells with equal ones stay together, where the first is
CellSplit split_cells(const std::vector<int64_t>& labels, const std::vector<std::string>& groups,
                      const TrainingOptions& options, const std::vector<std::string>& digests = {});
/// The parts that a table gives; cells without one are trained on.
/// @param splits  "train", "val", "test" or "", one per cell   @param path  of the table
/// @throws DataError data.empty if there is none to train on
CellSplit given_split(const std::vector<std::string>& splits, const std::string& path);

/// Cells of one modality: what both trainings know of them. Batches are asked for by rows, and may
/// be asked for by another thread.
struct CellSource {
  std::vector<std::string> names;    ///< one per cell
  std::vector<std::string> classes;  ///< of this modality
  std::vector<int64_t> labels;       ///< one per cell, -1 unknown
  std::vector<std::string> split;    ///< one per cell, as CellSplit
  std::string hash;                  ///< of the data
  std::vector<int64_t> rows(const std::string& role) const;
};
struct RnaSource : CellSource {
  std::vector<std::string> genes;
  rna::ExpressionScale scale;
  Tensor reference;                                          ///< [cells, 50], or undefined
  std::function<Tensor(const std::vector<int64_t>&)> batch;  ///< [B, genes] in 0..1
};
struct ImageSource : CellSource {
  std::function<ImageBatch(const std::vector<int64_t>&)> batch;
  int64_t channels = 256;     ///< of h
  std::string detector = "";  ///< that made h, as ImageCells says
};
/// Views; the cells have to outlive them.
RnaSource rna_source(const RnaCells& cells, const CellSplit& split);
ImageSource image_source(const ImageCells& cells, const CellSplit& split);

/// What is trained on; one side may be missing, and then nothing is aligned.
struct TrainingData {
  std::optional<RnaSource> rna;
  std::optional<ImageSource> images;
  ClassMap map;
};

/// Hooks of one of the trainings, "rna" or "image".
using StageHooks = std::function<TrainHooks(const std::string& stage)>;

/// Trains, or goes on where a training of the same folder, settings and data stopped, with the same
/// bits as if it had not. Writes into the folder, which is held and prepared: config.toml,
/// map.toml, rna.csv and image.csv (a row per epoch), checkpoints/rna and checkpoints/image,
/// rna.safetensors, image.safetensors (PyTorch's names and layout), latents.safetensors with
/// cells.json, results.json and, last of all, DONE. A hook that throws StopRequested ends it
/// after a checkpoint.
/// @return results.json
/// @throws ConfigError cfg; DataError class.unmapped, class.missing (naming the side) for the map,
/// change for other data than before, h5ad.form for a reference of another width; DivergedError
/// with step, cells and terms; StopRequested after a signal
std::string train_multimodal(const RunFolder& folder, const RunConfig& config,
                             const TrainingData& data, const StageHooks& hooks = {},
                             Device device = {});

}  // namespace cytograd::multimodal
