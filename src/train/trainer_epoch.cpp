#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/text.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/metrics.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"
#include "train/use_averages.h"

namespace cytograd {
namespace {

constexpr double absent = std::numeric_limits<double>::quiet_NaN();

double mean_log_loss(const Predictions& p) {
  double sum = 0;
  for (size_t i = 0; i < p.indices.size(); ++i)
    sum -= std::log(std::max(p.probability(i, p.labels[i]), 1e-300));
  return sum / static_cast<double>(p.indices.size());
}

// Mean over domains of the share of cells that are right.
double domain_accuracy(const Predictions& p, const Dataset& dataset) {
  std::map<int64_t, std::pair<double, double>> hits;  // and cells, by domain
  for (size_t i = 0; i < p.indices.size(); ++i) {
    auto& [right, all] = hits[dataset.samples[static_cast<size_t>(p.indices[i])].domain];
    right += p.predicted[i] == p.labels[i];
    all += 1;
  }
  double sum = 0;
  for (const auto& [domain, counts] : hits) sum += counts.first / counts.second;
  return hits.empty() ? absent : sum / static_cast<double>(hits.size());
}

void to_unit_length(std::vector<float>& values, int64_t width) {
  const auto n = static_cast<size_t>(width);
  for (size_t begin = 0; begin + n <= values.size(); begin += n) {
    double sum = 0;
    for (size_t k = begin; k < begin + n; ++k) sum += static_cast<double>(values[k]) * values[k];
    const double length = std::sqrt(sum);
    if (length == 0) continue;
    for (size_t k = begin; k < begin + n; ++k) values[k] = static_cast<float>(values[k] / length);
  }
}

// By the 20 nearest training images by cosine: nothing is fitted.
void classify_by_neighbours(LabelledRows rows, Predictions& val) {
  to_unit_length(rows.values, rows.width);
  to_unit_length(val.embeddings, val.width);
  ClassifierSpec spec;
  spec.kind = ClassifierSpec::Kind::knn;
  spec.k = std::min<int64_t>(20, rows.size());
  classify_by(val, *fit_classifier(spec, rows, 0));
}

}  // namespace

// Statistics for inputs of other domains, of the weights and of their averages.
void Trainer::join_domains() {
  model_->join_domains();
  const UseAverages averages(ema_.get());
  model_->join_domains();
}

Trainer::Passes Trainer::passes() {
  Passes out;
  const std::string& how = config_.val_classifier;
  out.by_head = how == "head" || (how == "auto" && has_head(config_) && method_->head_is_trained());
  const bool wanted = method_->wants_embeddings() || (val_ && !out.by_head);
  if (!val_ && !wanted) return out;
  const UseAverages averages(ema_.get());
  model_->eval();
  // A stop is seen after each batch; the epoch's training is kept and these passes run again.
  const auto watch = [](int64_t, int64_t) { throw_if_stopped(""); };
  if (wanted)
    out.rows = rows_of(predict(*model_, task_.dataset, *train_eval_, true, watch, domains_),
                       method_->active(), static_cast<int64_t>(task_.dataset.classes.size()));
  if (val_) out.val = predict(*model_, task_.dataset, *val_, !out.by_head, watch, domains_);
  if (val_ && self_supervised(config_) && config_.val_classifier == "auto") {
    classify_by_neighbours(out.rows, out.val);
  } else if (val_ && !out.by_head) {
    const ClassifierGrid grid =
        config_.val_classifier == "grid" ? ClassifierGrid::all() : ClassifierGrid::knn();
    const auto seed = stream_key(static_cast<uint64_t>(config_.seed), "val classifier",
                                 static_cast<uint64_t>(progress_.epoch));
    const size_t best = search_grid(grid, out.rows, seed).best;
    classify_by(out.val, *fit_classifier(grid.specs[best], out.rows, seed));
  }
  return out;
}

void Trainer::score(const Passes& passes, EpochInfo& info) {
  double loss = absent, accuracy = absent, f1 = absent, by_domain = absent;
  if (val_) {
    const Predictions& p = passes.val;
    Confusion confusion(p.classes);
    for (size_t i = 0; i < p.indices.size(); ++i) confusion.add(p.labels[i], p.predicted[i]);
    const Scores scores = scores_of(confusion);
    if (passes.by_head) loss = mean_log_loss(p);
    accuracy = scores.accuracy.value_or(absent);
    f1 = config_.macro_over == "all" ? f1_macro_over_all(scores) : scores.f1_macro.value_or(absent);
    by_domain = domain_accuracy(p, task_.dataset);
    const double score = config_.best_by == "macro_f1" ? f1 : by_domain;
    // Labels do not choose among epochs of a training without labels: its last one is kept.
    info.best = !self_supervised(config_) && std::isfinite(score) &&
                (!progress_.best || score > *progress_.best);
    if (info.best) {
      progress_.best = score;
      progress_.best_epoch = info.epoch;
    }
  }
  info.values.emplace_back("val_loss", loss);
  info.values.emplace_back("val_accuracy", accuracy);
  info.values.emplace_back("val_f1_macro", f1);
  if (method_traits(config_.method).domains)
    info.values.emplace_back("val_accuracy_domains", by_domain);
}

void Trainer::finish_epoch(const TrainHooks& hooks) {
  EpochInfo info;
  info.epoch = progress_.epoch + 1;
  info.epochs = config_.epochs;
  const auto seen = static_cast<double>(progress_.seen);
  info.values.emplace_back("step", static_cast<double>(progress_.step));
  info.values.emplace_back("lr", config_.lr * schedule_(progress_.step - 1));
  if (is_guided(config_)) info.values.emplace_back("n", static_cast<double>(method_->active()));
  // A term that the phase of this epoch lacks has a column all the same.
  std::vector<std::string> names = {"loss"};
  for (const std::string& term : method_->terms()) names.push_back("loss_" + term);
  std::map<std::string, double> means;
  for (const std::string& name : names) {
    const auto sum = progress_.sums.find(name);
    const auto of = progress_.sums.find("seen" + name.substr(4));
    const double count = of == progress_.sums.end() ? seen : of->second;
    info.values.emplace_back(name, sum == progress_.sums.end() ? absent : sum->second / count);
    if (name != "loss") means.emplace(name.substr(5), info.values.back().second);
  }
  const bool counted = has_head(config_) && method_->head_is_trained();
  info.values.emplace_back("train_accuracy",
                           counted ? static_cast<double>(progress_.hits) / seen : absent);
  recorded_ = nullptr;  // the passes need memory
  join_domains();
  Passes p;
  try {
    p = passes();
  } catch (const StopRequested&) {
    stop_if_asked();
  }
  score(p, info);
  method_->end_epoch(p.rows);
  for (const std::string& text : method_->remarks(means)) note(text);
  for (const auto& entry : method_->monitors()) info.values.push_back(entry);
  log_->write(info, progress_.step);
  progress_.epoch = info.epoch;
  progress_.batch = 0;
  progress_.sums.clear();
  progress_.seen = progress_.hits = 0;
  const bool tired =
      config_.patience > 0 && progress_.epoch - progress_.best_epoch >= config_.patience;
  progress_.finished = progress_.epoch >= config_.epochs || tired;
  save(info.best);
  if (hooks.epoch) hooks.epoch(info);
}

Checkpoint Trainer::checkpoint() const {
  Checkpoint out;
  out.progress = progress_;
  out.classes = task_.dataset.classes;
  out.domains = domains_;
  out.data_hash = task_.report.hash;
  out.add("", nn::to_torch_layout(on_host(model_->state_dict())));
  out.add("optimizer/", optimizer_->state_dict());
  if (ema_) out.add("ema/", nn::to_torch_layout(on_host(ema_->state_dict())));
  out.add("method/", method_->parameters());
  for (const auto& [name, tensor] : method_->state())
    out.tensors["method/" + name] = tensor.to(Device::cpu());
  const auto triple = [](const std::vector<double>& v) {
    return "[" + format_double(v[0]) + "," + format_double(v[1]) + "," + format_double(v[2]) + "]";
  };
  out.metadata["cytograd.mean"] = triple(model_->input_mean);
  out.metadata["cytograd.std"] = triple(model_->input_std);
  if (config_.stain != "none") out.metadata["cytograd.stain_target"] = stain_text(stain_target_);
  return out;
}

void Trainer::save(bool best) {
  const CheckpointStore store(folder_->path());
  write_checkpoint(store.path_of(progress_.step), checkpoint(), config_);
  store.publish(progress_.step, best);
}

}  // namespace cytograd
