#include "multimodal/stage.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/line_log.h"
#include "cytograd/io/text.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/optim/clip.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/stop.h"
#include "train/diverged.h"

namespace cytograd::multimodal {
namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

std::string made_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw FileError(Fault{"file.io", path, "", error.message(), "", ""});
  return path;
}

nn::NamedTensors on_host(nn::NamedTensors state) {
  for (auto& [name, tensor] : state) tensor = tensor.detach().to(Device::cpu());
  return state;
}

std::string values_text(const Values& values) {
  std::string out;
  for (const auto& [name, value] : values) out += " " + name + " " + format_double(value);
  return out;
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string text = csv_row(fields);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

double sum_of(const Progress& progress, const std::string& name) {
  const auto found = progress.sums.find(name);
  return found == progress.sums.end() ? 0 : found->second;
}

// The next batch is read while a step is taken.
class Ahead {
 public:
  using Load = std::function<StageBatch(size_t)>;
  Ahead(Load load, size_t first, size_t count) : load_(std::move(load)), count_(count) {
    start(first);
  }
  StageBatch take() {
    StageBatch out = next_.get();
    start(at_ + 1);
    return out;
  }

 private:
  void start(size_t at) {
    at_ = at;
    if (at < count_) next_ = std::async(std::launch::async, [this, at] { return load_(at); });
  }
  Load load_;
  size_t at_ = 0, count_;
  std::future<StageBatch> next_;  // last: it is waited for before the rest goes
};

}  // namespace

Stage::Stage(StageSetup setup, nn::Module& model)
    : setup_(std::move(setup)),
      model_(model),
      store_(CheckpointStore::in(made_folder(setup_.folder + "/checkpoints/" + setup_.name))),
      optimizer_((model.to(setup_.device), model.named_parameters()),
                 optim::AdamOptions{.lr = setup_.options.lr,
                                    .weight_decay = setup_.options.weight_decay}) {}

double Stage::beta() const {
  const double whole =
      std::round(setup_.options.warmup * static_cast<double>(setup_.options.epochs));
  return whole < 1 ? 1 : std::min(1.0, static_cast<double>(progress_.epoch + 1) / whole);
}

double Stage::skipped_share(const std::string& pair) const {
  const double steps = sum_of(progress_, "run:steps");
  return steps > 0 ? sum_of(progress_, "run:skipped:" + pair) / steps : 0;
}

void Stage::restore() {
  if (!store_.has("last")) return;
  std::string note;
  const Checkpoint c = read_last_checkpoint(store_, false, note);
  const std::string file = store_.resolve("last");
  const auto config = c.metadata.find("cytograd.config_hash");
  if (config == c.metadata.end() || config->second != setup_.config)
    throw ConfigError(Fault{"cfg", setup_.folder + "/config.toml", "",
                            "settings that this run was not begun with", "those of " + file,
                            "put them back, or start a new run"});
  if (c.data_hash != setup_.data)
    throw DataError(Fault{"change", file, "", "the cells have changed since this checkpoint",
                          "data with hash " + c.data_hash + ", found " + setup_.data,
                          "put the files back, or start a new run"});
  nn::LoadOptions options;
  options.file = file;
  nn::load_state_dict(model_, nn::from_torch_layout(c.part("")), options);
  optimizer_.load_state_dict(c.part("optimizer/"));
  progress_ = c.progress;
}

void Stage::save(bool best) const {
  Checkpoint c;
  c.add("", nn::to_torch_layout(on_host(model_.state_dict())));
  c.add("optimizer/", optimizer_.state_dict());
  const std::map<std::string, std::string> metadata = {
      {"cytograd.format", std::to_string(checkpoint_format)},
      {"cytograd.arch", setup_.name + "_vae"},
      {"cytograd.classes", "[]"},
      {"cytograd.config_hash", setup_.config},
      {"cytograd.data_hash", setup_.data},
      {"cytograd.build", build_info().version},
      {"cytograd.progress", progress_.json()}};
  write_safetensors(store_.path_of(progress_.step), c.tensors, metadata);
  store_.publish(progress_.step, best);
}

void Stage::stop_if_asked() const {
  if (stop_signal() == 0) return;
  save(false);
  throw_if_stopped("wrote " + store_.path_of(progress_.step) +
                   "; go on with `cyto multimodal train --resume " + setup_.folder + "`");
}

void Stage::diverged(const StageBatch& batch, const Values& terms,
                     std::optional<double> norm) const {
  const std::pair<const char*, Tensor> inputs[] = {{"x", batch.x},
                                                   {"reference", batch.reference},
                                                   {"features", batch.image.h},
                                                   {"images", batch.image.image},
                                                   {"masks", batch.image.mask}};
  DivergedStep report;
  report.training = "training of the " + setup_.name + " VAE";
  report.epoch = progress_.epoch + 1;
  report.step = progress_.step + 1;
  report.terms = terms;
  report.lr = setup_.options.lr;
  report.grad_norm = norm;
  for (const auto& [name, tensor] : inputs)
    if (tensor.defined()) report.inputs[name] = tensor;
  report.model = &model_;
  report.kind = "cells";
  for (const int64_t row : batch.rows)
    report.names.push_back(setup_.names[static_cast<size_t>(row)]);
  report.folder = setup_.folder;
  report.hint = "--" + setup_.name + "-lr or --clip 5";
  throw_diverged(report);
}

double Stage::step(const StageBatch& batch) {
  const RandomScope scope(setup_.seed, static_cast<uint64_t>(progress_.step));
  optimizer_.zero_grad();
  StageLoss found = loss(batch, beta(), progress_.step);
  const double total = found.total.item();
  Values terms = {{"", total}};  // "loss 1.5 mse 1.2"
  for (const Values& more : {found.terms, found.parts})
    terms.insert(terms.end(), more.begin(), more.end());
  if (!std::isfinite(total)) diverged(batch, terms, std::nullopt);
  found.total.backward();
  found.total = {};
  if (setup_.clip > 0) {
    const double norm = optim::clip_grad_norm(model_.named_parameters(), setup_.clip);
    if (!std::isfinite(norm)) diverged(batch, terms, norm);
  }
  optimizer_.step();
  ++progress_.step;
  const auto n = static_cast<double>(batch.rows.size());
  progress_.seen += static_cast<int64_t>(batch.rows.size());
  progress_.sums["term:loss"] += total * n;
  for (const auto& [name, value] : found.terms) progress_.sums["term:" + name] += value * n;
  for (const auto& [name, value] : found.parts) {
    if (!std::isfinite(value)) continue;
    progress_.sums["part:" + name] += value;
    progress_.sums["count:" + name] += 1;
  }
  progress_.sums["run:steps"] += 1;
  for (const std::string& name : found.skipped) {
    progress_.sums["run:skipped:" + name] += 1;
    progress_.sums["skipped"] += 1;
  }
  return total;
}

void Stage::train_epoch(const TrainHooks& hooks) {
  model_.train();
  const Batches all = batches(progress_.epoch);
  const auto count = static_cast<int64_t>(all.size());
  if (progress_.batch >= count) return;
  Ahead ahead(
      [&](size_t b) {
        StageBatch out = load(all[b]);
        out.rows = all[b];
        return out;
      },
      static_cast<size_t>(progress_.batch), all.size());
  while (progress_.batch < count) {
    const StageBatch batch = ahead.take();
    const double total = step(batch);
    ++progress_.batch;
    if (hooks.step) try {
        hooks.step({progress_.epoch, progress_.batch, count, progress_.step,
                    count * setup_.options.epochs, total, setup_.options.lr});
      } catch (const StopRequested&) {
        save(false);
        throw;
      }
    if (progress_.batch < count) stop_if_asked();
  }
}

void Stage::write_row(const EpochInfo& info) const {
  // A line of an earlier process after the checkpoint that this one began with goes.
  LineLog csv(setup_.folder + "/" + setup_.name + ".csv", info.epoch > 1 ? info.epoch : 0);
  std::vector<std::string> names = {"epoch"}, values = {std::to_string(info.epoch)};
  for (const auto& [name, value] : info.values) {
    names.push_back(name);
    values.push_back(std::isfinite(value) ? format_double(value) : "n/a");
  }
  if (csv.lines() == 0) csv.append(csv_line(names));
  csv.append(csv_line(values));
  csv.sync();
}

Values Stage::training_values() const {
  Values out = {{"step", static_cast<double>(progress_.step)}, {"beta_share", beta()}};
  for (const auto& [name, value] : progress_.sums)
    if (name.starts_with("term:"))
      out.emplace_back(name.substr(5), value / static_cast<double>(progress_.seen));
  for (const std::string& name : part_names()) {
    const double n = sum_of(progress_, "count:" + name);
    out.emplace_back(name, n > 0 ? sum_of(progress_, "part:" + name) / n : absent);
  }
  if (!part_names().empty()) out.emplace_back("skipped", sum_of(progress_, "skipped"));
  return out;
}

void Stage::finish_epoch(const TrainHooks& hooks) {
  EpochInfo info;
  info.epoch = progress_.epoch + 1;
  info.epochs = setup_.options.epochs;
  info.values = training_values();
  model_.eval();
  const Values measured = monitors();
  const double score = measured.front().second;
  if (!std::isfinite(score))
    throw DivergedError(
        "training of the " + setup_.name + " VAE diverged in epoch " + std::to_string(info.epoch) +
        ", by step " + std::to_string(progress_.step) + ": after it" + values_text(measured) +
        "; the last checkpoint is good; try a smaller --" + setup_.name + "-lr or --clip 5 [nan]");
  info.values.insert(info.values.end(), measured.begin(), measured.end());
  info.best = !progress_.best || score < *progress_.best;
  if (info.best) {
    progress_.best = score;
    progress_.best_epoch = info.epoch;
  }
  write_row(info);
  progress_.epoch = info.epoch;
  progress_.batch = progress_.seen = 0;
  std::erase_if(progress_.sums, [](const auto& s) { return !s.first.starts_with("run:"); });
  progress_.finished = progress_.epoch >= setup_.options.epochs;
  if (info.best || progress_.finished || progress_.epoch % setup_.checkpoint_every == 0)
    save(info.best);
  if (hooks.epoch) hooks.epoch(info);
}

void Stage::run(const TrainHooks& hooks) {
  restore();
  while (!progress_.finished) {
    train_epoch(hooks);
    finish_epoch(hooks);
    if (!progress_.finished) stop_if_asked();
  }
  const std::string file = store_.resolve("best");
  nn::LoadOptions options;
  options.file = file;
  nn::load_state_dict(model_, nn::from_torch_layout(read_checkpoint(file).part("")), options);
  model_.eval();
}

}  // namespace cytograd::multimodal
