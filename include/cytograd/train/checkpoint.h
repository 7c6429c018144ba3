#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/io/safetensors.h"
#include "cytograd/nn/module.h"
#include "cytograd/train/config.h"
#include "cytograd/train/run_folder.h"

namespace cytograd {

/// Where a run stands: everything of its state that is not a tensor. Random numbers are keyed by
/// seed, epoch, step and sample, so there is no generator state.
struct Progress {
  int64_t epoch = 0;  ///< epochs finished
  int64_t batch = 0;  ///< batches of the current epoch done
  int64_t step = 0;   ///< optimiser steps done
  bool finished = false;
  // Running sums of the current epoch.
  std::map<std::string, double> sums;
  int64_t seen = 0, hits = 0;
  // Best epoch so far.
  std::optional<double> best;
  int64_t best_epoch = 0;

  std::string json() const;
  static Progress from_json(const std::string& text, const std::string& file);
};

/// One safetensors file. The model's tensors stand under PyTorch's names and in PyTorch's layout,
/// so that other programs load them; what else a run needs is under `optimizer/`, `ema/` and
/// `method/`.
struct Checkpoint {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  ///< strings, `cytograd.*`
  Progress progress;
  std::vector<std::string> classes;
  std::vector<std::string>
      domains;  ///< that were trained on; empty in files of before they were kept
  std::string data_hash;

  /// Adds named tensors below `prefix`.
  void add(const std::string& prefix, const nn::NamedTensors& tensors);
  /// Those below `prefix`, without it; "" gives the model's.
  nn::NamedTensors part(const std::string& prefix) const;
  /// The model's tensors as they are used after training: parameters replaced by their averages
  /// where the run kept them, running statistics as they are.
  nn::NamedTensors weights() const;
};

/// Format version that is written; newer ones are refused.
inline constexpr int64_t checkpoint_format = 1;

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint,
                      const TrainConfig& config);
/// The file of a checkpoint of a run: "best", which is the last where none was the best, or another
/// name. @throws FileError run.checkpoint
std::string checkpoint_file(const std::string& run, const std::string& which);

/// @throws DataError for a damaged file or one that is no checkpoint, FileError
Checkpoint read_checkpoint(const std::string& path);

/// The checkpoint to resume from. @param fall_back take the newest good one if `last` is damaged,
/// with `note` saying so; else the error names it
Checkpoint read_last_checkpoint(const CheckpointStore& store, bool fall_back, std::string& note);

}  // namespace cytograd
