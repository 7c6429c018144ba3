#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/autocast.h"
#include "cytograd/core/memory.h"
#include "cytograd/core/random_scope.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "cytograd/optim/clip.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"
#include "train/embedder.h"
#include "train/methods.h"
#include "train/trainer_setup.h"

/// @file
/// One step: kernel by kernel, or recorded and replayed.

namespace cytograd {
namespace {

int64_t count_hits(const Tensor& logits, const Tensor& labels) {
  const std::vector<float> values = logits.to_vector<float>();
  const std::vector<int64_t> truth = labels.to_vector<int64_t>();
  const auto classes = static_cast<size_t>(logits.size(1));
  int64_t hits = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    const float* row = values.data() + i * classes;
    hits += std::max_element(row, row + classes) - row == truth[i];
  }
  return hits;
}

// Numbers that the host counts in every forward pass, such as the batches a norm has seen.
std::vector<Tensor> host_counters(const models::ImageModel& model) {
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : model.named_buffers())
    if (tensor.dtype() == Dtype::int64 && tensor.device().type == DeviceType::cpu)
      out.push_back(tensor);
  return out;
}
std::vector<int64_t> values_of(const std::vector<Tensor>& counters) {
  std::vector<int64_t> out;
  for (const Tensor& t : counters) out.push_back(*t.data<int64_t>());
  return out;
}

}  // namespace

// Two graphs, so that the host can look at loss and gradients before the weights change: a step
// that diverges leaves them as they were.
struct Trainer::Recorded {
  Tensor images, labels;  // what the graphs read
  CudaGraph gradients, update;
  Forward forward;  // its results, found here after each replay
  Tensor norm;
  std::vector<Tensor> grads;  // of the trained parameters
  std::vector<Tensor> counters;
  std::vector<int64_t> increments;

  bool fits(const Batch& batch) const { return batch.size() == labels.numel(); }
};

void Trainer::note(const std::string& text) const {
  if (hooks_ && hooks_->note) hooks_->note(text);
}

bool Trainer::next_batch(Batch& batch) {
  uploading_ = ahead_.has_value();
  if (!ahead_) return train_->next(batch);
  batch = *std::exchange(ahead_, std::nullopt);
  return true;
}

// Reads the next batch and begins to copy it, while the device computes.
void Trainer::look_ahead() {
  if (!ahead_wanted_) return;
  Batch next;
  if (!train_->next(next)) return;
  begin_upload(next);
  ahead_ = std::move(next);
}

void Trainer::begin_upload(const Batch& batch) {
  if (batch.raw.defined())
    upload_->start({batch.labels, batch.raw.pixels, batch.raw.changes});
  else
    upload_->start({batch.labels, batch.images});
}

// The batch whose copy was begun, to where the graphs read it.
void Trainer::finish_upload(const Batch& batch, const Tensor& images, const Tensor& labels) {
  const Tensors there = upload_->take();
  labels.copy_(there[0]);
  if (batch.raw.defined()) {
    RawImages raw = batch.raw;
    raw.pixels = there[1];
    raw.changes = there[2];
    prepare(raw, images);
  } else {
    images.copy_(there[1]);
  }
  upload_->release();
}

Batch Trainer::on_device(const Batch& loaded) {
  if (!upload_) return loaded;
  Batch batch = loaded;
  batch.labels = loaded.labels.to(device_);
  if (!loaded.raw.defined()) {
    batch.images = loaded.images.to(device_);
    return batch;
  }
  RawImages raw = std::exchange(batch.raw, {});
  raw.pixels = raw.pixels.to(device_);
  raw.changes = raw.changes.to(device_);
  const int64_t size = raw.preprocess.size;
  batch.images = Tensor::empty({raw.count, size, size, 3}, Dtype::float32, device_);
  prepare(raw, batch.images);
  return batch;
}

// Distances and turns of methods over domains can run away while their numbers are still finite.
bool Trainer::usable(double loss) const {
  const double most =
      method_traits(config_.method).domains ? 1e5 : std::numeric_limits<double>::max();
  return std::isfinite(loss) && std::abs(loss) <= most;
}

// A pass for each domain where normalisation shall not mix them, else one for all.
Tensor Trainer::embed(const Batch& batch) const {
  const bool apart =
      method_traits(config_.method).blocks && !config_.freeze_bn && !config_.joint_bn;
  if (!config_.domain_bn && (!apart || trains_head_alone(config_)))
    return model_->embed(batch.images);
  Tensors parts;
  for (const DomainBlock& b : domain_blocks(batch.domains)) {
    if (config_.domain_bn) model_->set_domain(domain_numbers_.at(b.domain));
    parts.push_back(model_->embed(slice(batch.images, 0, b.begin, b.end)));
  }
  model_->set_domain(-1);
  return concat(parts, 0);
}

Trainer::Forward Trainer::forward(const Batch& batch) {
  const Autocast products(config_.precision == "bfloat16");
  Forward out;
  out.output.embeddings = embed(batch);
  if (model_->has_classifier()) out.output.logits = model_->classify(out.output.embeddings);
  for (const LossTerm& term : method_->loss(batch, out.output)) {
    out.terms.emplace_back(term.name, term.value);
    if (term.weight == 0) continue;
    const Tensor weighted = term.weight == 1 ? term.value : mul(term.value, term.weight);
    out.total = out.total.defined() ? add(out.total, weighted) : weighted;
  }
  return out;
}

void Trainer::pass_features(int64_t round, const FeatureVisitor& visit) {
  if (!features_) {
    LoaderOptions options = loader_options(config_, *model_);
    options.preprocess.stain_target = stain_target_;
    options.augmentation = round < 0 ? Augmentation::none() : augmentation_of(config_);
    options.cache_bytes = (config_.cache_mb << 20) / 4;
    features_ = std::make_unique<Loader>(task_.dataset, task_.split.train, options);
  }
  recorded_ = nullptr;  // the pass needs memory
  const NoGrad no_grad;
  model_->eval();
  Embedder embed(*model_, domains_, task_.dataset.domains);
  features_->start_at(std::max<int64_t>(round, 0));
  for (Batch batch; features_->next(batch);) {
    throw_if_stopped("");
    visit(batch, embed(batch));
  }
}

Trainer::Step Trainer::step(const Batch& batch) {
  method_->before_step(
      {progress_.step, total_steps(),
       [this](int64_t round, const FeatureVisitor& visit) { pass_features(round, visit); }});
  try {
    if (recorded_ && recorded_->fits(batch)) return replayed_step(batch);
    recorded_ = nullptr;  // its memory is for this batch
    return eager_step(batch);
  } catch (const DeviceError& e) {
    if (e.fault().id != "gpu.oom") throw;
    out_of_memory(e, batch);
  }
}

Trainer::Step Trainer::eager_step(const Batch& loaded) {
  const Batch batch = on_device(loaded);
  const RandomScope scope(static_cast<uint64_t>(config_.seed),
                          static_cast<uint64_t>(progress_.step));
  model_->train();
  optimizer_->zero_grad();
  Step out;
  TermValues values;
  Tensor logits;
  {
    const Forward f = forward(batch);
    for (const auto& [name, value] : f.terms) values.emplace_back(name, value.item());
    out.loss = f.total.item();
    if (!usable(out.loss)) diverged(batch, values, {});
    f.total.backward();
    if (f.output.logits.defined()) logits = f.output.logits.detach();
  }
  const nn::NamedTensors parameters = trained_parameters();
  out.grad_norm = config_.clip_norm > 0 ? optim::clip_grad_norm(parameters, config_.clip_norm)
                                        : optim::grad_norm(parameters);
  if (!std::isfinite(out.grad_norm)) diverged(batch, values, out.grad_norm);
  if (method_->update(learning_rate())) {
    optimizer_->set_lr(learning_rate());
    optimizer_->step();
    if (ema_) ema_->update();
  }
  count(out, values, logits, loaded);
  const bool full = loaded.size() == train_->full_batch();
  if (upload_ && config_.capture && full && !eager_only_) record(batch, scope.draws() > 0);
  return out;
}

void Trainer::count(const Step& step, const TermValues& values, const Tensor& logits,
                    const Batch& batch) {
  ++progress_.step;
  method_->after_step(progress_.step);
  const auto n = static_cast<double>(batch.size());
  progress_.sums["loss"] += step.loss * n;
  for (const auto& [name, value] : values) {
    progress_.sums["loss_" + name] += value * n;
    progress_.sums["seen_" + name] += n;  // not every step has every term
  }
  progress_.seen += batch.size();
  if (logits.defined()) progress_.hits += count_hits(logits, batch.labels);
}

std::string Trainer::why_not_recorded(bool draws) const {
  if (is_guided(config_) || !method_->recordable())
    return "the method " + config_.method + " looks at values in each step";
  if (draws) return "each step draws random numbers";
  return "";
}

// Records the step of `batch`, which has just run: what is made only once is there.
void Trainer::record(const Batch& batch, bool draws) {
  const auto give_up = [this](const std::string& why) {
    eager_only_ = true;
    note("steps run kernel by kernel: " + why);
  };
  if (const std::string why = why_not_recorded(draws); !why.empty()) return give_up(why);
  auto r = std::make_shared<Recorded>();
  r->images = batch.images;
  r->labels = batch.labels;
  r->norm = Tensor::empty({}, Dtype::float64, device_);
  const std::vector<Tensor> counters = host_counters(*model_);
  const std::vector<int64_t> before = values_of(counters);
  const nn::NamedTensors parameters = trained_parameters();
  const double most =
      config_.clip_norm > 0 ? config_.clip_norm : std::numeric_limits<double>::infinity();
  optimizer_->zero_grad();
  empty_cache(device_);  // the graph has memory of its own
  try {
    r->gradients.capture(device_, [&] {
      Forward f = forward(batch);
      f.total.backward();
      optim::clip_grad_norm(parameters, most, r->norm);
      r->forward.total = f.total.detach();
      if (f.output.logits.defined()) r->forward.output.logits = f.output.logits.detach();
      for (const auto& [name, value] : f.terms) r->forward.terms.emplace_back(name, value.detach());
    });
    r->update.capture(device_, [&] { optimizer_->step(); });
    recorded_ = std::move(r);
  } catch (const StateError& e) {
    give_up(e.what());
  } catch (const DeviceError& e) {
    if (e.fault().id != "gpu.oom") throw;
    give_up(e.what());
  }
  const std::vector<int64_t> after = values_of(counters);
  for (size_t i = 0; i < after.size(); ++i)
    *counters[i].data<int64_t>() = before[i];  // it was recorded, not run
  if (!recorded_) return optimizer_->zero_grad();
  for (const auto& [name, parameter] : parameters) recorded_->grads.push_back(parameter.grad());
  recorded_->counters = counters;
  for (size_t i = 0; i < after.size(); ++i) recorded_->increments.push_back(after[i] - before[i]);
}

Trainer::Step Trainer::replayed_step(const Batch& loaded) {
  Recorded& r = *recorded_;
  if (!uploading_) begin_upload(loaded);  // nobody looked ahead
  uploading_ = false;
  finish_upload(loaded, r.images, r.labels);
  model_->train();
  const nn::NamedTensors parameters = trained_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i].second.set_grad(r.grads[i]);
  r.gradients.replay();
  for (size_t i = 0; i < r.counters.size(); ++i) *r.counters[i].data<int64_t>() += r.increments[i];
  look_ahead();
  Step out;
  TermValues values;
  for (const auto& [name, value] : r.forward.terms) values.emplace_back(name, value.item());
  out.loss = r.forward.total.item();
  out.grad_norm = r.norm.item();
  if (!usable(out.loss) || !std::isfinite(out.grad_norm)) {
    Batch batch = loaded;
    batch.images = r.images;
    diverged(batch, values, usable(out.loss) ? std::optional(out.grad_norm) : std::nullopt);
  }
  optimizer_->set_lr(learning_rate());
  r.update.replay();
  optimizer_->count_replay();
  if (ema_) ema_->update();
  count(out, values, r.forward.output.logits, loaded);
  return out;
}

}  // namespace cytograd
