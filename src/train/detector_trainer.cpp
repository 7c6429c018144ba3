#include "cytograd/train/detector_trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/io/text.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/optim/clip.h"
#include "cytograd/train/stop.h"
#include "train/trainer_setup.h"
#include "train/use_averages.h"

namespace cytograd {
namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

double known(double score) { return score >= 0 ? score : absent; }

// The scale of objects that the network learns belongs to this side.
int64_t median_side(const FieldSet& fields, const std::vector<int64_t>& part, int64_t tile) {
  std::vector<int64_t> sides;
  for (const int64_t i : part) {
    const Field& field = fields.fields[static_cast<size_t>(i)];
    sides.push_back(std::min({field.height, field.width, tile}));
  }
  if (sides.empty()) return 0;
  std::nth_element(sides.begin(), sides.begin() + static_cast<int64_t>(sides.size() / 2),
                   sides.end());
  return sides[sides.size() / 2];
}

}  // namespace

DetectorTrainer::DetectorTrainer(const TrainConfig& config, const FieldTask& task)
    : config_(config),
      task_(task),
      device_(choose_device(config.device)),
      augmentation_(field_augmentation_of(config)),
      train_(task.task.split.train) {
  if (config_.precision != "float32" && device_.type == DeviceType::cpu)
    throw ConfigError(Fault{"cfg", "", "", "train.precision " + config_.precision + " on the CPU",
                            "float32", "pass --precision float32, or another --device"});
  if (device_.type == DeviceType::cuda) set_tf32(config_.precision == "tf32");
  choose_kernels(device_, config_.kernels);
  const std::vector<int64_t> objects = task.fields.object_counts(train_);
  if (std::all_of(objects.begin(), objects.end(), [](int64_t n) { return n == 0; }))
    throw DataError(Fault{"data.empty", "", "", "no object in the training part", "at least one",
                          "choose smaller test and validation parts"});
  if (config_.patience > 0 && task.task.split.val.empty())
    throw ConfigError(Fault{"cfg", config_.splits, "", "train.patience without a validation part",
                            "a split with fields of role val", "pass --patience 0"});
  models::MaskRcnnOptions options =
      detector_options(config_, static_cast<int64_t>(task.fields.classes.size()));
  for (const int64_t n : task.fields.mask_counts(train_)) options.outlined.push_back(n > 0);
  model_ = std::make_unique<models::MaskRcnn>(options);
  model_->to(device_);
  if (config_.ema > 0) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  schedule_ = make_schedule(config_, batches_per_epoch());
  optimizer_ = make_optimizer(config_, trained_parameters(), batches_per_epoch(), 0);
  field_side_ = median_side(task.fields, train_, config_.field_tile);
}

std::vector<std::string> DetectorTrainer::load_weights(const std::string& path) {
  std::vector<std::string> notes = load_detector_weights(*model_, path);
  if (ema_) ema_ = std::make_unique<optim::Ema>(model_->state_dict(), config_.ema);
  return notes;
}

nn::NamedTensors DetectorTrainer::trained_parameters() const {
  nn::NamedTensors out;
  for (const auto& [name, tensor] : model_->named_parameters())
    if (tensor.requires_grad()) out.emplace_back(name, tensor);
  return out;
}

int64_t DetectorTrainer::batches_per_epoch() const {
  return (static_cast<int64_t>(train_.size()) + config_.batch - 1) / config_.batch;
}

double DetectorTrainer::checkpoint_bytes() const {
  double bytes = 0;
  for (const auto& [name, tensor] : model_->state_dict())
    bytes += static_cast<double>(tensor.bytes());
  return bytes * (1 + (config_.optimizer == "sgd" ? 1 : 2) + (config_.ema > 0 ? 1 : 0));
}

void DetectorTrainer::restore(const Checkpoint& c, const std::string& file) {
  if (c.data_hash != task_.task.report.hash)
    throw DataError(Fault{"change", file, "", "the data set has changed since this checkpoint",
                          "data with hash " + c.data_hash + ", found " + task_.task.report.hash,
                          "put images and annotations back, or start a new run"});
  nn::LoadOptions options;
  options.file = file;
  nn::load_state_dict(*model_, nn::from_torch_layout(c.part("")), options);
  optimizer_->load_state_dict(c.part("optimizer/"));
  if (ema_) ema_->load_state_dict(nn::from_torch_layout(c.part("ema/")));
  progress_ = c.progress;
}

std::vector<int64_t> DetectorTrainer::order(int64_t epoch) const {
  LoaderOptions options;
  options.batch_size = config_.batch;
  options.order = Order::shuffle;
  options.seed = static_cast<uint64_t>(config_.seed);
  return epoch_order(task_.task.dataset, train_, options, epoch);
}

DetectorTrainer::FieldBatch DetectorTrainer::load(const std::vector<int64_t>& order,
                                                  int64_t batch) const {
  FieldBatch out;
  const int64_t end = std::min((batch + 1) * config_.batch, static_cast<int64_t>(order.size()));
  for (int64_t k = batch * config_.batch; k < end; ++k) {
    const int64_t i = order[static_cast<size_t>(k)];
    const auto place = static_cast<size_t>(i);
    const Sample& sample = task_.fields.index.samples[place];
    const FieldView whole{read_sample(sample, config_.max_pixels),
                          task_.fields.fields[place].objects};
    const FieldView view =
        augment(whole, augmentation_,
                Rng(static_cast<uint64_t>(config_.seed), "field",
                    static_cast<uint64_t>(progress_.epoch), static_cast<uint64_t>(i)));
    out.images.push_back(pixels_of(view.image));
    out.targets.push_back(target_of(view, sample.id));
  }
  return out;
}

void DetectorTrainer::diverged(const FieldBatch& batch, const std::string& what) {
  std::string text = "training diverged at epoch " + std::to_string(progress_.epoch + 1) +
                     ", step " + std::to_string(progress_.step + 1) + ": " + what + "; lr " +
                     format_double(learning_rate()) + "; fields";
  for (const models::Target& target : batch.targets) text += " " + escape_control(target.name);
  throw DivergedError(text +
                      "; the last checkpoint is good; try a smaller --lr or --clip-norm 1 [nan]");
}

double DetectorTrainer::step(const FieldBatch& batch) {
  const auto seed = static_cast<uint64_t>(config_.seed),
             number = static_cast<uint64_t>(progress_.step);
  const RandomScope scope(seed, number);
  model_->train();
  optimizer_->zero_grad();
  double total = 0;
  std::vector<std::pair<std::string, double>> values;
  {
    const models::DetectionLosses losses =
        model_->losses(batch.images, batch.targets, {.seed = seed, .step = number});
    std::string terms;
    for (const auto& [name, loss] : losses.named()) {
      values.emplace_back(name, loss.item());
      terms += " " + name + " " + format_double(values.back().second);
      total += values.back().second;
    }
    if (!std::isfinite(total)) diverged(batch, "losses" + terms);
    losses.total().backward();
  }
  const nn::NamedTensors parameters = trained_parameters();
  const double norm = config_.clip_norm > 0 ? optim::clip_grad_norm(parameters, config_.clip_norm)
                                            : optim::grad_norm(parameters);
  if (!std::isfinite(norm)) diverged(batch, "gradient norm " + format_double(norm));
  optimizer_->set_lr(learning_rate());
  optimizer_->step();
  if (ema_) ema_->update();
  ++progress_.step;
  const auto n = static_cast<double>(batch.images.size());
  progress_.sums["loss"] += total * n;
  for (const auto& [name, value] : values) progress_.sums[name] += value * n;
  progress_.seen += static_cast<int64_t>(batch.images.size());
  return total;
}

void DetectorTrainer::train_epoch(const TrainHooks& hooks) {
  log_->begin_epoch();
  const std::vector<int64_t> fields = order(progress_.epoch);
  const int64_t batches = batches_per_epoch();
  while (progress_.batch < batches) {
    const double lr = learning_rate();
    const double loss = step(load(fields, progress_.batch));
    ++progress_.batch;
    if (hooks.step)
      hooks.step({progress_.epoch, progress_.batch, batches, progress_.step,
                  batches * config_.epochs, loss, lr});
    if (progress_.batch < batches) stop_if_asked();
  }
}

void DetectorTrainer::score(EpochInfo& info) {
  const std::vector<int64_t>& val = task_.task.split.val;
  DetectorScores scores;
  if (!val.empty()) {
    const UseAverages averages(ema_.get());
    model_->eval();
    detection::TileOptions tiles;  // those of large fields
    for (const int64_t i : val) {
      const Field& field = task_.fields.fields[static_cast<size_t>(i)];
      if (std::max(field.height, field.width) > config_.field_tile) tiles.side = config_.field_tile;
    }
    scores = score_fields(*model_, task_.fields, val, tiles, config_.max_pixels,
                          [](int64_t, int64_t) { throw_if_stopped(""); });
  }
  const detection::CocoScores masks = scores.mask ? scores.mask->all : detection::CocoScores{};
  info.values.emplace_back("val_box_ap", known(scores.box.all.ap));
  info.values.emplace_back("val_box_ap50", known(scores.box.all.ap50));
  info.values.emplace_back("val_mask_ap", known(masks.ap));
  info.values.emplace_back("val_mask_ap50", known(masks.ap50));
  info.values.emplace_back("val_mask_iou", known(scores.mean_iou));
  const double best = masks.ap >= 0 ? masks.ap : scores.box.all.ap;
  info.best = best >= 0 && (!progress_.best || best > *progress_.best);
  if (!info.best) return;
  progress_.best = best;
  progress_.best_epoch = info.epoch;
}

void DetectorTrainer::finish_epoch(const TrainHooks& hooks) {
  EpochInfo info;
  info.epoch = progress_.epoch + 1;
  info.epochs = config_.epochs;
  info.values.emplace_back("step", static_cast<double>(progress_.step));
  info.values.emplace_back("lr", config_.lr * schedule_(progress_.step - 1));
  std::vector<std::string> names = {"loss", "loss_classifier", "loss_box_reg"};
  if (model_->options().masks) names.emplace_back("loss_mask");
  names.insert(names.end(), {"loss_objectness", "loss_rpn_box_reg"});
  for (const std::string& name : names)
    info.values.emplace_back(name, progress_.sums[name] / static_cast<double>(progress_.seen));
  try {
    score(info);
  } catch (const StopRequested&) {
    stop_if_asked();  // the epoch's training is kept, its scores are made again
  }
  log_->write(info, progress_.step);
  progress_.epoch = info.epoch;
  progress_.batch = 0;
  progress_.sums.clear();
  progress_.seen = 0;
  const bool tired =
      config_.patience > 0 && progress_.epoch - progress_.best_epoch >= config_.patience;
  progress_.finished = progress_.epoch >= config_.epochs || tired;
  save(info.best);
  if (hooks.epoch) hooks.epoch(info);
}

Checkpoint DetectorTrainer::checkpoint() const {
  Checkpoint out;
  out.progress = progress_;
  out.classes = task_.fields.classes;
  out.domains = task_.task.dataset.domains;
  out.data_hash = task_.task.report.hash;
  out.add("", nn::to_torch_layout(on_host(model_->state_dict())));
  out.add("optimizer/", optimizer_->state_dict());
  if (ema_) out.add("ema/", nn::to_torch_layout(on_host(ema_->state_dict())));
  out.metadata["cytograd.detector"] = config_.detector;
  out.metadata["cytograd.min_size"] = std::to_string(config_.min_size);
  out.metadata["cytograd.norm_eps"] = format_double(config_.norm_eps);
  std::string& outlined = out.metadata["cytograd.outlined"];
  for (const bool known : model_->options().outlined) outlined += known ? '1' : '0';
  out.metadata["cytograd.field_side"] = std::to_string(field_side_);
  return out;
}

void DetectorTrainer::save(bool best) {
  const CheckpointStore store(folder_->path());
  write_checkpoint(store.path_of(progress_.step), checkpoint(), config_);
  store.publish(progress_.step, best);
}

void DetectorTrainer::stop_if_asked() {
  if (stop_signal() == 0) return;
  save(false);
  throw_if_stopped("wrote " + CheckpointStore(folder_->path()).path_of(progress_.step) +
                   "; go on with `cyto segment train --resume " + folder_->path() + "`");
}

void DetectorTrainer::run(const RunFolder& folder, const TrainHooks& hooks) {
  folder_ = &folder;
  log_ = std::make_unique<RunLog>(folder, progress_);
  // A run can be resumed from its first moment on.
  if (progress_.step == 0 && progress_.batch == 0) save(false);
  while (!progress_.finished) {
    train_epoch(hooks);
    finish_epoch(hooks);
    if (!progress_.finished) stop_if_asked();
  }
}

std::pair<double, double> DetectorTrainer::measure() {
  reset_peak_memory(device_);
  const std::vector<int64_t> fields = order(0);
  double seconds = 0;
  for (int64_t i = 0; i < 2; ++i) {
    const FieldBatch batch = load(fields, i % batches_per_epoch());
    const auto begin = std::chrono::steady_clock::now();
    step(batch);
    synchronize(device_);
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return {seconds, static_cast<double>(memory_stats(device_).peak)};
}

}  // namespace cytograd
