#include "cytograd/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/ops/shape.h"
#include "cytograd/train/stop.h"
#include "train/diverged.h"
#include "train/trainer_setup.h"

namespace cytograd {
namespace {

// Components that join a growing embedding start at 0.
void zero_late_components(const models::ImageModel& model) {
  const NoGrad no_grad;
  for (const auto& [name, tensor] : model.named_parameters())
    if (name == "embedding.weight" || name == "embedding.bias")
      slice(tensor.detach(), 0, 2, tensor.size(0)).fill_(0);
}

// At most 5000 of the images, evenly: enough to watch a training by.
std::vector<int64_t> spread_over(const std::vector<int64_t>& images) {
  constexpr size_t most = 5000;
  if (images.size() <= most) return images;
  std::vector<int64_t> out;
  for (size_t k = 0; k < most; ++k) out.push_back(images[k * images.size() / most]);
  return out;
}

}  // namespace

Trainer::Trainer(const TrainConfig& config, const Task& task)
    : config_(config), task_(task), device_(choose_device(config.device)) {
  if (config_.precision != "float32" && device_.type == DeviceType::cpu)
    throw ConfigError(Fault{"cfg", "", "", "train.precision " + config_.precision + " on the CPU",
                            "float32", "pass --precision float32, or another --device"});
  if (device_.type == DeviceType::cuda) set_tf32(config_.precision == "tf32");
  choose_kernels(device_, config_.kernels);
  const auto classes = static_cast<int64_t>(task.dataset.classes.size());
  const auto counts = class_counts(task.dataset, task.split.train);
  for (const int64_t d : training_domains(counts)) {
    domain_numbers_[d] = static_cast<int64_t>(domains_.size());
    domains_.push_back(task.dataset.domains[static_cast<size_t>(d)]);
  }
  model_ = model_of(config, classes, true);
  if (config_.domain_bn) model_->add_domains(static_cast<int64_t>(domains_.size()));
  freeze_parts(*model_, config_);
  model_->to(device_);
  method_ = make_method({config_, classes, static_cast<int64_t>(task.dataset.domains.size()),
                         model_->embedding_count(), device_, counts, task.dataset.classes,
                         task.dataset.domains, model_.get()});
  if (grows(config_) && config_.grow_init == "zero") zero_late_components(*model_);
  if (config_.ema > 0) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  make_loaders();
  schedule_ = make_schedule(config_, train_->batches());
  optimizer_ = make_optimizer(config_, trained_parameters(), train_->batches(),
                              models::stage_count(*model_));
}

void Trainer::make_loaders() {
  const std::vector<int64_t>& train = task_.split.train;
  std::vector<int64_t> val = task_.split.val;
  if (config_.patience > 0 && val.empty())
    throw ConfigError(Fault{"cfg", config_.splits, "", "train.patience without a validation part",
                            "a split with samples of role val", "pass --patience 0"});
  const bool watched = self_supervised(config_);  // labels judge what is learned without them
  if (watched) val = task_.dataset.classes.size() < 2 ? std::vector<int64_t>{} : spread_over(val);
  stain_target_ = stain_target_of(config_, task_);
  LoaderOptions options = loader_options(config_, *model_);
  options.preprocess.stain_target = stain_target_;
  const int64_t cache = config_.cache_mb << 20;
  if (!val.empty()) {
    options.cache_bytes = cache / 4;
    val_ = std::make_unique<Loader>(task_.dataset, val, options);
  }
  const bool embeds = !has_head(config_) || method_->wants_embeddings() || is_guided(config_) ||
                      config_.val_classifier != "auto";
  if (watched ? val_ != nullptr : embeds) {
    options.cache_bytes = cache / 2;
    train_eval_ =
        std::make_unique<Loader>(task_.dataset, watched ? spread_over(train) : train, options);
  }
  const bool on_host = device_.type == DeviceType::cpu;
  options = training_options(config_, *model_, static_cast<int64_t>(train.size()), on_host);
  options.preprocess.stain_target = stain_target_;
  options.cache_bytes = train_eval_ ? cache / 2 : cache;
  if (!on_host) upload_ = std::make_unique<CudaUpload>(device_);
  train_ = std::make_unique<Loader>(task_.dataset, train, options);
}

nn::NamedTensors Trainer::trained_parameters() const {
  nn::NamedTensors out;
  for (auto& [name, tensor] : model_->named_parameters())
    if (tensor.requires_grad()) out.emplace_back(name, tensor);
  for (auto& [name, tensor] : method_->parameters()) out.emplace_back("method/" + name, tensor);
  return out;
}

void Trainer::restore(const Checkpoint& c, const std::string& file) {
  if (c.data_hash != task_.report.hash)
    throw DataError(Fault{"change", file, "", "the data set has changed since this checkpoint",
                          "data with hash " + c.data_hash + ", found " + task_.report.hash,
                          "put the images back, or start a new run"});
  nn::LoadOptions options;
  options.file = file;
  nn::load_state_dict(*model_, nn::from_torch_layout(c.part("")), options);
  optimizer_->load_state_dict(c.part("optimizer/"));
  if (ema_) ema_->load_state_dict(nn::from_torch_layout(c.part("ema/")));
  TensorMap method_state;
  for (const auto& [name, tensor] : c.part("method/")) method_state.emplace(name, tensor);
  const NoGrad no_grad;
  for (auto& [name, tensor] : method_->parameters())
    if (const auto found = method_state.find(name); found != method_state.end())
      tensor.copy_(found->second);
  method_->load_state(method_state);
  progress_ = c.progress;
  has_first_stage_ = true;
}

double Trainer::learning_rate() const { return config_.lr * schedule_(progress_.step); }

void Trainer::diverged(const Batch& batch, const std::vector<std::pair<std::string, double>>& terms,
                       std::optional<double> grad_norm) {
  DivergedStep report;
  report.epoch = progress_.epoch + 1;
  report.step = progress_.step + 1;
  report.terms = terms;
  report.lr = learning_rate();
  report.grad_norm = grad_norm;
  report.inputs = {{"images", batch.images}, {"labels", batch.labels}};
  report.model = model_.get();
  for (const int64_t i : batch.indices)
    report.names.push_back(task_.dataset.samples[static_cast<size_t>(i)].id);
  report.folder = folder_ ? folder_->path() : "";
  report.hint = "--lr or --clip-norm 1";
  throw_diverged(report);
}

void Trainer::begin_epoch() {
  method_->begin_epoch(progress_.epoch);
  model_->set_active(method_->active());
}

void Trainer::train_epoch(const TrainHooks& hooks) {
  begin_epoch();
  log_->begin_epoch();
  train_->start_at(progress_.epoch, progress_.batch);
  const int64_t batches = train_->batches();
  ahead_.reset();
  for (Batch batch; progress_.batch < batches && next_batch(batch);) {
    const double lr = learning_rate();
    ahead_wanted_ = progress_.batch + 1 < batches;
    Step done;
    try {
      done = step(batch);
    } catch (
        const StopRequested&) {  // within a pass over the training part: the step is done again
      stop_if_asked();
    }
    ++progress_.batch;
    if (hooks.step)
      hooks.step({progress_.epoch, progress_.batch, batches, progress_.step, total_steps(),
                  done.loss, lr});
    if (progress_.batch < batches) stop_if_asked();
  }
}

void Trainer::stop_if_asked() {
  if (stop_signal() == 0) return;
  save(false);
  throw_if_stopped("wrote " + CheckpointStore(folder_->path()).path_of(progress_.step) +
                   "; go on with `cyto train --resume " + folder_->path() + "`");
}

void Trainer::run(const RunFolder& folder, const TrainHooks& hooks) {
  check<StateError>(!trains_head_alone(config_) || has_first_stage_, "trainer",
                    "the classifier alone is trained: load_first_stage comes first");
  folder_ = &folder;
  hooks_ = &hooks;
  for (const std::string& text : method_->notes()) note(text);
  log_ = std::make_unique<RunLog>(folder, progress_);
  // A run can be resumed from its first moment on.
  if (progress_.step == 0 && progress_.batch == 0) save(false);
  while (!progress_.finished) {
    train_epoch(hooks);
    finish_epoch(hooks);
    if (!progress_.finished) stop_if_asked();
  }
}

StepCost Trainer::measure() {
  StepCost out;
  reset_peak_memory(device_);
  begin_epoch();
  train_->start_at(0);
  ahead_wanted_ = false;
  for (int i = 0; i < 2; ++i) {
    Batch batch;
    if (!train_->next(batch)) {
      train_->start_at(0);
      if (!train_->next(batch)) break;
    }
    const auto begin = std::chrono::steady_clock::now();
    step(batch);
    synchronize(device_);
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  out.peak_bytes = static_cast<double>(memory_stats(device_).peak);
  for (const auto& [name, tensor] : checkpoint().tensors)
    out.state_bytes += static_cast<double>(tensor.bytes());
  return out;
}

}  // namespace cytograd
