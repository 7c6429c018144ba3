#include "cytograd/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/io/weights.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/ops/shape.h"
#include "cytograd/optim/adam.h"
#include "cytograd/optim/sgd.h"
#include "cytograd/train/stop.h"
#include "train/diverged.h"

namespace cytograd {
namespace {

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c,
                                                 const nn::NamedTensors& parameters,
                                                 int64_t batches) {
  if (c.optimizer == "sgd")
    return std::make_unique<optim::Sgd>(
        parameters, optim::SgdOptions{c.lr, c.momentum, c.weight_decay, c.nesterov});
  const optim::AdamOptions options{
      .lr = c.lr, .beta1 = c.beta1, .beta2 = c.beta2, .eps = c.eps, .weight_decay = c.weight_decay};
  std::unique_ptr<optim::Adam> adam;
  if (c.optimizer == "adam")
    adam = std::make_unique<optim::Adam>(parameters, options);
  else
    adam = std::make_unique<optim::AdamW>(parameters, options);
  if (c.adam_row_steps == "per_row" && grows(c))
    for (const char* name : {"embedding.weight", "embedding.bias"})
      adam->set_row_starts(name, [growth = growth_of(c), batches](int64_t row) {
        return growth.first_epoch(row) * batches;
      });
  return adam;
}

// Components that join a growing embedding start at 0.
void zero_late_components(const models::ImageModel& model) {
  const NoGrad no_grad;
  for (const auto& [name, tensor] : model.named_parameters())
    if (name == "embedding.weight" || name == "embedding.bias")
      slice(tensor.detach(), 0, 2, tensor.size(0)).fill_(0);
}

optim::Schedule make_schedule(const TrainConfig& c, int64_t batches) {
  const auto steps_of = [&](double epochs) {
    return static_cast<int64_t>(std::llround(epochs * static_cast<double>(batches)));
  };
  const int64_t warm = steps_of(c.warmup_epochs);
  optim::Schedule then = optim::constant();
  if (c.schedule == "cosine")
    then = optim::cosine(std::max<int64_t>(1, batches * c.epochs - warm),
                         c.lr > 0 ? c.min_lr / c.lr : 0);
  else if (c.schedule == "step")
    then = optim::step_decay(std::max<int64_t>(1, steps_of(c.step_epochs)), c.step_factor);
  return warm > 0 ? optim::warm_up(warm, then) : then;
}

Order order_of(const std::string& name) {
  if (name == "replacement") return Order::replacement;
  if (name == "balanced") return Order::balanced;
  return Order::shuffle;
}

LoaderOptions loader_options(const TrainConfig& c, const models::ImageModel& model) {
  LoaderOptions out;
  out.batch_size = c.batch;
  out.seed = static_cast<uint64_t>(c.seed);
  out.preprocess = preprocess_of(c, model);
  out.max_pixels = c.max_pixels;
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
  model_ = model_of(config, classes, true);
  model_->to(device_);
  const MethodContext context{config_,
                              classes,
                              static_cast<int64_t>(task.dataset.domains.size()),
                              model_->embedding_count(),
                              device_,
                              class_counts(task.dataset, task.split.train),
                              task.dataset.classes};
  method_ = make_method(context);
  if (grows(config_) && config_.grow_init == "zero") zero_late_components(*model_);
  if (config_.ema > 0) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);

  LoaderOptions options = loader_options(config_, *model_);
  if (config_.patience > 0 && task.split.val.empty())
    throw ConfigError(Fault{"cfg", config_.splits, "", "train.patience without a validation part",
                            "a split with samples of role val", "pass --patience 0"});
  const int64_t cache = config_.cache_mb << 20;
  if (!task.split.val.empty()) {
    options.cache_bytes = cache / 4;
    val_ = std::make_unique<Loader>(task.dataset, task.split.val, options);
  }
  if (!has_head(config_) || method_->wants_embeddings() || is_guided(config_) ||
      config_.val_classifier != "auto") {
    options.cache_bytes = cache / 2;
    train_eval_ = std::make_unique<Loader>(task.dataset, task.split.train, options);
  }
  options.order = order_of(config_.order);
  options.augmentation = Augmentation::named(config_.augment);
  options.cache_bytes = train_eval_ ? cache / 2 : cache;
  // Batch statistics of a single image say nothing.
  const auto n = static_cast<int64_t>(task.split.train.size());
  options.drop_last = n > config_.batch && n % config_.batch == 1;
  const bool on_host = device_.type == DeviceType::cpu;
  if (config_.augment_on == "device" && on_host)
    throw ConfigError(Fault{"cfg", "", "", "input.augment_on device on the CPU", "auto or host",
                            "pass --augment-on auto, or another --device"});
  options.raw = !on_host && config_.augment_on != "host";
  if (!on_host) upload_ = std::make_unique<CudaUpload>(device_);
  train_ = std::make_unique<Loader>(task.dataset, task.split.train, options);
  schedule_ = make_schedule(config_, train_->batches());
  optimizer_ = make_optimizer(config_, trained_parameters(), train_->batches());
}

nn::NamedTensors Trainer::trained_parameters() const {
  nn::NamedTensors out = model_->named_parameters();
  for (auto& [name, tensor] : method_->parameters()) out.emplace_back("method/" + name, tensor);
  return out;
}

std::vector<std::string> Trainer::load_weights(const std::string& path) {
  // A classifier for other classes and an embedding of another length start anew.
  const auto head = [](std::string name) {
    if (name.starts_with("module.")) name.erase(0, 7);
    return name.starts_with("fc.") || name.starts_with("classifier.") ||
           name.starts_with("linear.") || name.starts_with("embedding.");
  };
  nn::NamedTensors state;
  const Weights weights = cytograd::load_weights(path);
  for (const auto& [name, tensor] : weights.tensors)
    if (name.find('/') == std::string::npos) state.emplace_back(name, tensor);
  const auto model_state = nn::to_torch_layout(model_->state_dict());
  std::vector<std::string> notes;
  nn::NamedTensors fitting;
  for (auto& [name, tensor] : state) {
    const std::string wanted = name.starts_with("module.") ? name.substr(7) : name;
    const auto mine = std::find_if(model_state.begin(), model_state.end(),
                                   [&wanted](const auto& entry) { return entry.first == wanted; });
    const bool absent = mine == model_state.end();
    if (head(name) && (absent || mine->second.shape() != tensor.shape())) {
      notes.push_back(name + " does not fit and starts from random values");
      continue;
    }
    fitting.emplace_back(name, tensor);
  }
  nn::LoadOptions options;
  options.file = path;
  options.allow_missing = {"fc.*", "classifier.*", "linear.*", "embedding.*"};
  options.allow_missing.insert(options.allow_missing.end(), config_.allow_missing.begin(),
                               config_.allow_missing.end());
  const nn::LoadReport report =
      nn::load_state_dict(*model_, nn::from_torch_layout(fitting), options);
  for (const auto& [from, to] : report.renamed) notes.push_back(from + " was read as " + to);
  for (const std::string& name : report.missing)
    if (nn::detail::matches_any(config_.allow_missing, name))
      notes.push_back(name + " is not in the file and starts from random values");
  if (ema_) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  return notes;
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
}

double Trainer::learning_rate() const { return config_.lr * schedule_(progress_.step); }

void Trainer::diverged(const Batch& batch, const std::vector<std::pair<std::string, double>>& terms,
                       std::optional<double> grad_norm) {
  DivergedStep report;
  report.batch = &batch;
  report.dataset = &task_.dataset;
  report.terms = terms;
  report.lr = learning_rate();
  report.grad_norm = grad_norm;
  report.epoch = progress_.epoch + 1;
  report.step = progress_.step + 1;
  report.layer = first_non_finite(*model_, batch);
  report.folder = folder_ ? folder_->path() : "";
  throw_diverged(report);
}

void Trainer::begin_epoch() {
  method_->begin_epoch(progress_.epoch);
  model_->set_active(method_->active());
}

void Trainer::train_epoch(const TrainHooks& hooks) {
  begin_epoch();
  epoch_start_ = std::chrono::steady_clock::now();
  train_->start_at(progress_.epoch, progress_.batch);
  const int64_t batches = train_->batches();
  ahead_.reset();
  for (Batch batch; progress_.batch < batches && next_batch(batch);) {
    const double lr = learning_rate();
    ahead_wanted_ = progress_.batch + 1 < batches;
    const Step done = step(batch);
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
  folder_ = &folder;
  hooks_ = &hooks;
  csv_ = std::make_unique<LineLog>(folder.file("metrics.csv"),
                                   progress_.epoch > 0 ? progress_.epoch + 1 : 0);
  jsonl_ = std::make_unique<LineLog>(folder.file("metrics.jsonl"), progress_.epoch);
  times_ = std::make_unique<LineLog>(folder.file("times.csv"),
                                     progress_.epoch > 0 ? progress_.epoch + 1 : 0);
  // The last epoch that was logged ended where the current one began.
  drop_events_after(folder.path(), progress_.step - progress_.batch);
  events_ = std::make_unique<EventWriter>(folder.path());
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
