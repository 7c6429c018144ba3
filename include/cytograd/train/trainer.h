#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/data/loader.h"
#include "cytograd/io/line_log.h"
#include "cytograd/optim/ema.h"
#include "cytograd/optim/optimizer.h"
#include "cytograd/optim/schedule.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/events.h"
#include "cytograd/train/method.h"
#include "cytograd/train/run_folder.h"
#include "cytograd/train/task.h"

namespace cytograd {

/// After every optimiser step.
struct StepInfo {
  int64_t epoch = 0, batch = 0, batches = 0, step = 0, steps = 0;
  double loss = 0, lr = 0;
};

/// After every epoch: one row of metrics.csv.
struct EpochInfo {
  int64_t epoch = 0, epochs = 0;
  std::vector<std::pair<std::string, double>> values;  ///< NaN: not available
  bool best = false;
};

struct TrainHooks {
  std::function<void(const StepInfo&)> step;
  std::function<void(const EpochInfo&)> epoch;
};

/// What a step costs, for --dry-run.
struct StepCost {
  double seconds = 0;      ///< of one step after the first
  double peak_bytes = 0;   ///< tensor memory
  double state_bytes = 0;  ///< of one checkpoint
};

/// Trains an image model on a task and keeps its run folder.
///
/// Every step is a function of the state before it, the seed and its number; the state is written
/// after every epoch and, when a stop is asked for, after the current step. A resumed run therefore
/// ends with the same bytes as one that was never interrupted.
class Trainer {
 public:
  Trainer(const TrainConfig& config, const Task& task);

  /// Loads weights to start from; the classifier may differ, the rest must fit.
  /// @return what was renamed or left out, one line each
  std::vector<std::string> load_weights(const std::string& path);
  /// Goes on from a checkpoint. @throws DataError change if it belongs to other data
  void restore(const Checkpoint& checkpoint, const std::string& file);

  /// Trains to the end. @throws StopRequested after a checkpoint; DivergedError
  void run(const RunFolder& folder, const TrainHooks& hooks);
  /// Where it trains: what the configuration's device names.
  Device device() const { return device_; }
  /// Runs two steps without a folder.
  StepCost measure();

  const models::ImageModel& model() const { return *model_; }
  const Progress& progress() const { return progress_; }
  int64_t batches_per_epoch() const { return train_->batches(); }

 private:
  struct Step {
    double loss = 0, grad_norm = 0;
  };
  Step step(const Batch& batch);
  void train_epoch(const TrainHooks& hooks);
  void finish_epoch(const TrainHooks& hooks);
  /// Embeddings of the training part and predictions of the validation part, as far as needed.
  struct Passes {
    LabelledRows rows;
    Predictions val;
    bool by_head = true;
  };
  Passes passes();
  void score(const Passes& passes, EpochInfo& info);
  void begin_epoch();
  void log(const EpochInfo& info);
  void save(bool best);
  Checkpoint checkpoint() const;
  void stop_if_asked();
  double learning_rate() const;
  int64_t total_steps() const { return train_->batches() * config_.epochs; }
  nn::NamedTensors trained_parameters() const;
  [[noreturn]] void diverged(const Batch& batch,
                             const std::vector<std::pair<std::string, double>>& terms,
                             std::optional<double> grad_norm);

  TrainConfig config_;
  const Task& task_;
  Device device_;
  std::unique_ptr<models::ImageModel> model_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::Ema> ema_;
  std::unique_ptr<Loader> train_, val_, train_eval_;
  optim::Schedule schedule_;
  Progress progress_;

  const RunFolder* folder_ = nullptr;
  std::unique_ptr<LineLog> csv_, jsonl_, times_;
  std::chrono::steady_clock::time_point epoch_start_;
  std::unique_ptr<EventWriter> events_;
};

}  // namespace cytograd
