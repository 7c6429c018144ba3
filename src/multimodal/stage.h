#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/multimodal/trainer.h"
#include "cytograd/nn/module.h"
#include "cytograd/optim/adam.h"
#include "cytograd/train/checkpoint.h"
#include "multimodal/batches.h"
#include "multimodal/quality.h"

/// @file
/// What the training of the RNA VAE and that of the image VAE share: epochs, checkpoints, going on.

namespace cytograd::multimodal {

/// What a step sees; which fields are filled is the stage's own business.
struct StageBatch {
  std::vector<int64_t> rows;
  Tensor x, reference;
  ImageBatch image;
};

/// What a step found.
struct StageLoss {
  Tensor total;
  Values terms;                      ///< unweighted; averaged over the cells of an epoch
  Values parts;                      ///< averaged over the steps that have them
  std::vector<std::string> skipped;  ///< pairs that had too few cells
};

/// What a stage is set up with.
struct StageSetup {
  std::string name;  ///< "rna", "image"
  StageOptions options;
  double clip = 0;
  int64_t checkpoint_every = 1;
  uint64_t seed = 0;               ///< of this stage
  std::string config, data;        ///< hashes: a checkpoint of others is refused
  std::string folder;              ///< of the run
  std::vector<std::string> names;  ///< of the cells, for messages
  Device device;
};

class Stage {
 public:
  Stage(StageSetup setup, nn::Module& model);
  virtual ~Stage() = default;

  /// Trains to the end and leaves the best epoch's weights in the model, in evaluation mode.
  void run(const TrainHooks& hooks);

  int64_t best_epoch() const { return progress_.best_epoch; }
  /// Share of the steps in which a pair had too few cells.
  double skipped_share(const std::string& pair) const;

 protected:
  virtual Batches batches(int64_t epoch) const = 0;
  virtual StageBatch load(const std::vector<int64_t>& rows) const = 0;
  /// @param beta  share of beta that counts in this epoch
  virtual StageLoss loss(const StageBatch& batch, double beta, int64_t step) = 0;
  /// After an epoch, in evaluation mode; the first is what the best epoch is chosen by.
  virtual Values monitors() = 0;
  virtual std::vector<std::string> part_names() const { return {}; }
  const StageSetup& setup() const { return setup_; }

 private:
  void restore();
  void train_epoch(const TrainHooks& hooks);
  double step(const StageBatch& batch);
  Values training_values() const;
  void finish_epoch(const TrainHooks& hooks);
  void save(bool best) const;
  void stop_if_asked() const;
  void write_row(const EpochInfo& info) const;
  double beta() const;
  [[noreturn]] void diverged(const StageBatch& batch, const Values& terms,
                             std::optional<double> norm) const;

  StageSetup setup_;
  nn::Module& model_;
  CheckpointStore store_;
  optim::Adam optimizer_;
  Progress progress_;
};

}  // namespace cytograd::multimodal
