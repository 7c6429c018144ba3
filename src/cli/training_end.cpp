#include "cli/training_end.h"

#include <optional>

#include "cli/domain_run.h"
#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/core/random.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/method.h"
#include "cytograd/train/pretraining.h"
#include "cytograd/train/readout_fit.h"

namespace cytograd::cli {
namespace {

std::string quoted_spec(const FittedReadout::Best& best) {
  return "{\"classifier\":" + json_text(best.spec.text()) +
         ",\"inner_f1_macro\":" + format_double(best.score);
}

// Scores on one part by a classifier that was fitted to the training embeddings.
Evaluation evaluate_by(const Classifier& classifier, const Evaluation& with_embeddings) {
  Evaluation out;
  out.role = with_embeddings.role;
  out.predictions = with_embeddings.predictions;
  classify_by(out.predictions, classifier);
  out.confusion = Confusion(out.predictions.classes);
  for (size_t i = 0; i < out.predictions.indices.size(); ++i)
    out.confusion.add(out.predictions.labels[i], out.predictions.predicted[i]);
  out.scores = scores_of(out.confusion);
  return out;
}

double total_seconds(const RunFolder& folder) {
  const CsvTable times = read_csv(folder.file("times.csv"));
  double out = 0;
  for (size_t row = 0; row < times.rows(); ++row) out += times.number(row, 1);
  return out;
}

double macro_of(const TrainConfig& config, const Scores& scores) {
  return config.macro_over == "all" ? f1_macro_over_all(scores) : scores.f1_macro.value_or(0);
}

// report/embeddings.csv: of the components in use.
void write_embeddings(const RunFolder& folder, const TrainedModel& trained, const Task& task,
                      const std::vector<Evaluation>& parts) {
  std::vector<std::string> row = {
      "sample", "role", "class", "predicted", "confidence", "agreement", "anchor_confidence"};
  for (int64_t k = 0; k < trained.width(); ++k) row.push_back("e" + std::to_string(k));
  CsvWriter out(folder.file("report/embeddings.csv"), row);
  for (const Evaluation& part : parts)
    for (size_t i = 0; i < part.predictions.indices.size(); ++i) {
      const Predictions& p = part.predictions;
      row = {escape_control(task.dataset.samples[static_cast<size_t>(p.indices[i])].id),
             part.role,
             trained.classes[static_cast<size_t>(p.labels[i])],
             trained.classes[static_cast<size_t>(p.predicted[i])],
             format_double(p.confidence(i)),
             format_double(p.agreement[i]),
             format_double(p.anchor_confidence[i])};
      for (int64_t k = 0; k < p.width; ++k)
        row.push_back(
            format_float(p.embeddings[i * static_cast<size_t>(p.width) + static_cast<size_t>(k)]));
      out.row(row);
    }
  out.commit();
}

// results.json: what a table of many runs is made of. With a readout also the embeddings.
void write_results(const RunFolder& folder, const TrainedModel& trained, const Task& task,
                   const Evaluation& evaluation, const std::optional<FittedReadout>& fitted) {
  const TrainConfig& c = trained.config;
  std::string out =
      "{\"method\":" + json_text(c.method) + ",\"growing\":" + (grows(c) ? "true" : "false") +
      ",\"embedding\":" + std::to_string(c.embedding) + ",\"fold\":" + std::to_string(c.fold) +
      ",\"seed\":" + std::to_string(c.seed) + ",\"best_epoch\":" + std::to_string(trained.epoch) +
      ",\"n\":" + std::to_string(trained.width()) +
      ",\"seconds\":" + format_fixed(total_seconds(folder), 1) +
      ",\"role\":" + json_text(evaluation.role) +
      ",\"f1_macro\":" + format_double(macro_of(c, evaluation.scores));
  if (fitted) {
    std::vector<Evaluation> parts;
    for (const char* role : {"train", "val", "test"}) {
      const Split& s = task.split;
      const auto& part = role[1] == 'r' ? s.train : role[0] == 'v' ? s.val : s.test;
      if (!part.empty()) parts.push_back(evaluate(trained, task.dataset, part, role, true));
    }
    write_embeddings(folder, trained, task, parts);
    const Evaluation& last = parts.back();
    out += ",\"posthoc\":{";
    bool first = true;
    for (const auto& [kind, best] : fitted->best) {
      const auto classifier = fit_classifier(best.spec, trained.readout->reference,
                                             stream_key(static_cast<uint64_t>(c.seed), "readout"));
      const Evaluation e = evaluate_by(*classifier, last);
      out += (first ? "" : ",") + json_text(kind) + ":" + quoted_spec(best) +
             ",\"f1_macro\":" + format_double(macro_of(c, e.scores)) +
             ",\"f1_micro\":" + format_double(e.scores.f1_micro.value_or(0)) + "}";
      first = false;
    }
    out += "},\"chosen\":" + json_text(trained.readout->classifier->spec().text());
  }
  out += ",\"scores\":" + evaluation_json(evaluation, trained.classes) + "}\n";
  write_file_atomically(folder.file("results.json"), out);
}

// Without labels there is nothing to score, unless they are there and a classifier is asked for.
bool judged_by_labels(const TrainedModel& trained) {
  if (!self_supervised(trained.config)) return true;
  return trained.config.posthoc && trained.classes.size() > 1;
}

// The end of a run without labels: its weights, and how it stood after its last epoch.
void finish_unlabelled(const RunFolder& folder, const TrainedModel& trained,
                       const std::string& weights, int64_t tensors) {
  const CsvTable table = read_csv(folder.file("metrics.csv"));
  const auto last = [&](const std::string& name) -> std::string {
    const auto column = table.find_column(name);
    return column && table.rows() > 0 ? std::string(table.at(table.rows() - 1, *column)) : "n/a";
  };
  std::string json = "{\"weights\":" + json_text(weights) +
                     ",\"tensors\":" + std::to_string(tensors) +
                     ",\"epochs\":" + std::to_string(trained.epoch);
  std::string text;
  for (const auto& [name, column] :
       std::vector<std::pair<std::string, std::string>>{{"loss", "loss"},
                                                        {"alignment", "loss_alignment"},
                                                        {"uniformity", "loss_uniformity"},
                                                        {"spread", "loss_spread"},
                                                        {"knn_accuracy", "val_accuracy"},
                                                        {"knn_f1_macro", "val_f1_macro"}}) {
    const std::string value = last(column);
    json += ",\"" + name + "\":" + (value == "n/a" ? "null" : value);
    text += name + std::string(14 - name.size(), ' ') + value + "\n";
  }
  json += "}\n";
  write_file_atomically(folder.file("results.json"), json);
  folder.mark_done(json);
  console().out(console().json() ? json : text);
}

}  // namespace

void finish_training(const RunFolder& folder, const Task& task, Device device, bool quiet) {
  TrainedModel trained = load_trained(folder.path(), "best", device);
  std::vector<std::string> written = {folder.path() + " (weights " + trained.file + ")"};
  std::string next =
      "cyto eval --run " + folder.path() + "   or   cyto predict --run " + folder.path() + " IMAGE";
  if (is_pretraining(trained.config)) {
    const std::string weights = folder.file("weights.safetensors");
    const int64_t tensors = write_backbone(weights, trained);
    next = "cyto train --data FOLDER --model " + trained.config.model + " --weights " +
           shell_word(weights) + " -o runs/tuned";
    if (!judged_by_labels(trained)) {
      finish_unlabelled(folder, trained, weights, tensors);
      return say_next({weights}, next);
    }
    written.push_back(weights);
  }
  std::optional<FittedReadout> fitted;
  if (trained.config.posthoc || !trained.by_head) {
    console().note("choosing a classifier of the embeddings");
    fitted = fit_readout(trained, task, counting("embeddings"));
    write_readout(folder.path(), fitted->readout);
    trained.readout = load_readout(folder.path(), trained.epoch);
  }
  const std::string role = !task.split.test.empty()  ? "test"
                           : !task.split.val.empty() ? "val"
                                                     : "train";
  const Evaluation evaluation = evaluate(trained, task.dataset, part_of(task.split, role), role);
  write_results(folder, trained, task, evaluation, fitted);
  const DomainRun domains = score_domains(trained, task, evaluation, total_seconds(folder));
  write_domain_run(folder, domains);
  const std::string page = write_run_report(folder.path(), trained, task, evaluation);
  folder.mark_done(evaluation_json(evaluation, trained.classes) + "\n");
  if (quiet) return;
  if (console().json())
    console().out(evaluation_json(evaluation, trained.classes) + "\n");
  else
    console().out(evaluation_text(evaluation, trained.classes) +
                  domains_text(domains.held, trained.classes) +
                  (domains.outside ? domains_text(*domains.outside, trained.classes) : ""));
  written.push_back(page);
  say_next(written, next);
}

}  // namespace cytograd::cli
