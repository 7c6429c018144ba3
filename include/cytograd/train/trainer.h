#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/data/loader.h"
#include "cytograd/optim/ema.h"
#include "cytograd/optim/optimizer.h"
#include "cytograd/optim/schedule.h"
#include "cytograd/train/checkpoint.h"
#include "cytograd/train/method.h"
#include "cytograd/train/run_folder.h"
#include "cytograd/train/run_log.h"
#include "cytograd/train/task.h"

namespace cytograd {

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
///
/// On a device the first step of a full batch is recorded and later ones replay it (CudaGraph),
/// with the same bits, while the next batch is read and copied. Steps of another batch size, and
/// methods that look at values in a step, run kernel by kernel; the hook `note` says why.
class Trainer {
 public:
  Trainer(const TrainConfig& config, const Task& task);

  /// Loads weights to start from; the classifier may differ, the rest must fit.
  /// @return what was renamed or left out, one line each
  std::vector<std::string> load_weights(const std::string& path);
  /// Takes all but the classifier from an earlier stage, which `trains_head_alone` asks for.
  /// @param path  a run folder (its best checkpoint) or a checkpoint
  /// @throws ConfigError if it is not there; ShapeError for other classes or another network
  void load_first_stage(const std::string& path);
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
  /// Model, method and the sum of the terms.
  struct Forward {
    ModelOutput output;
    Tensor total;
    std::vector<std::pair<std::string, Tensor>> terms;
  };
  using TermValues = std::vector<std::pair<std::string, double>>;

  /// @throws DeviceError gpu.oom with the largest batch that fits
  Step step(const Batch& batch);
  Step eager_step(const Batch& batch);
  Step replayed_step(const Batch& batch);
  Forward forward(const Batch& batch);
  bool usable(double loss) const;
  Tensor embed(const Batch& batch) const;
  void pass_features(int64_t round, const FeatureVisitor& visit);
  void make_loaders();
  void record(const Batch& batch, bool draws);
  std::string why_not_recorded(bool draws) const;
  void count(const Step& step, const TermValues& values, const Tensor& logits, const Batch& batch);
  bool next_batch(Batch& batch);
  void look_ahead();
  void begin_upload(const Batch& batch);
  void finish_upload(const Batch& batch, const Tensor& images, const Tensor& labels);
  Batch on_device(const Batch& batch);
  [[noreturn]] void out_of_memory(const DeviceError& error, const Batch& batch);
  int64_t largest_batch(const Batch& batch);
  int64_t blocks_of(const Batch& batch) const;
  Batch part_of(const Batch& loaded, int64_t n, int64_t blocks) const;
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
  void join_domains();
  void save(bool best);
  Checkpoint checkpoint() const;
  void stop_if_asked();
  double learning_rate() const;
  int64_t total_steps() const { return train_->batches() * config_.epochs; }
  nn::NamedTensors trained_parameters() const;
  [[noreturn]] void diverged(const Batch& batch,
                             const std::vector<std::pair<std::string, double>>& terms,
                             std::optional<double> grad_norm);
  void note(const std::string& text) const;

  TrainConfig config_;
  const Task& task_;
  Device device_;
  std::unique_ptr<models::ImageModel> model_;
  std::unique_ptr<Method> method_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::unique_ptr<optim::Ema> ema_;
  std::unique_ptr<Loader> train_, val_, train_eval_;
  std::unique_ptr<Loader> features_;  ///< training part in order, for statistics of the method
  std::vector<std::string> domains_;  ///< with training samples
  std::map<int64_t, int64_t> domain_numbers_;  ///< the same by index into the data set's
  bool has_first_stage_ = false;
  struct Recorded;
  std::shared_ptr<Recorded> recorded_;
  bool eager_only_ = false, ahead_wanted_ = false, uploading_ = false;
  std::unique_ptr<CudaUpload> upload_;
  std::optional<Batch> ahead_;  ///< the next batch; its copy to the device has begun
  StainStats stain_target_;     ///< what images are moved to with input.stain
  optim::Schedule schedule_;
  Progress progress_;

  const RunFolder* folder_ = nullptr;
  const TrainHooks* hooks_ = nullptr;
  std::unique_ptr<RunLog> log_;
};

}  // namespace cytograd
