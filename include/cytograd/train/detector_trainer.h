#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/optim/ema.h"
#include "cytograd/optim/optimizer.h"
#include "cytograd/optim/schedule.h"
#include "cytograd/train/detector.h"
#include "cytograd/train/run_log.h"

namespace cytograd {

/// Trains a detector on annotated fields and keeps its run folder. Configuration, optimiser,
/// schedule, checkpoints, tables and stops are those of Trainer (train/trainer.h); what differs is
/// what a step sees and how an epoch is scored: COCO's average precision on the validation part, of
/// masks where there are any.
///
/// Every step is a function of the state before it, the seed and its number, so a resumed run ends
/// with the same bytes as one that was never interrupted.
class DetectorTrainer {
 public:
  /// @throws ConfigError, DataError for fields without an object to learn
  DetectorTrainer(const TrainConfig& config, const FieldTask& task);

  /// Weights to start from; see load_detector_weights.
  std::vector<std::string> load_weights(const std::string& path);
  /// Goes on from a checkpoint. @throws DataError change if it belongs to other data
  void restore(const Checkpoint& checkpoint, const std::string& file);

  /// Trains to the end. @throws StopRequested after a checkpoint; DivergedError
  void run(const RunFolder& folder, const TrainHooks& hooks);
  /// Seconds of a step and peak bytes of tensors, over two steps without a folder.
  std::pair<double, double> measure();

  const models::MaskRcnn& model() const { return *model_; }
  const Progress& progress() const { return progress_; }
  Device device() const { return device_; }
  int64_t batches_per_epoch() const;
  /// Bytes of one checkpoint.
  double checkpoint_bytes() const;

 private:
  struct FieldBatch {
    std::vector<Tensor> images;
    std::vector<models::Target> targets;
  };

  std::vector<int64_t> order(int64_t epoch) const;
  FieldBatch load(const std::vector<int64_t>& order, int64_t batch) const;
  double step(const FieldBatch& batch);
  void train_epoch(const TrainHooks& hooks);
  void finish_epoch(const TrainHooks& hooks);
  /// Adds the validation scores to `info` and says whether the epoch is the best.
  void score(EpochInfo& info);
  void save(bool best);
  Checkpoint checkpoint() const;
  void stop_if_asked();
  [[noreturn]] void diverged(const FieldBatch& batch, const std::string& what);
  nn::NamedTensors trained_parameters() const;
  double learning_rate() const { return config_.lr * schedule_(progress_.step); }

  TrainConfig config_;
  const FieldTask& task_;
  Device device_;
  FieldAugmentation augmentation_;
  std::vector<int64_t> train_;  ///< training fields
  std::unique_ptr<models::MaskRcnn> model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::Ema> ema_;
  optim::Schedule schedule_;
  Progress progress_;
  int64_t field_side_ = 0;

  const RunFolder* folder_ = nullptr;
  std::unique_ptr<RunLog> log_;
};

}  // namespace cytograd
