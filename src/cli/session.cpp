#include "cli/session.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/train_options.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {

LoaderOptions inference_loader(const TrainedModel& trained) {
  LoaderOptions out;
  out.batch_size = trained.config.batch;
  out.preprocess = trained.preprocess;
  out.max_pixels = trained.config.max_pixels;
  return out;
}

Evaluation evaluate(const TrainedModel& trained, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const std::string& role,
                    bool keep_embeddings) {
  Evaluation out;
  out.role = role;
  out.predictions = predict(trained, dataset, indices, inference_loader(trained), keep_embeddings,
                            counting("images"));
  const Predictions& p = out.predictions;
  out.confusion = Confusion(static_cast<int64_t>(trained.classes.size()));
  std::vector<double> confidence;
  std::vector<uint8_t> correct;
  double loss = 0;
  for (size_t i = 0; i < p.indices.size(); ++i) {
    out.confusion.add(p.labels[i], p.predicted[i]);
    confidence.push_back(p.confidence(i));
    correct.push_back(p.labels[i] == p.predicted[i]);
    loss -= std::log(std::max(p.probability(i, p.labels[i]), 1e-300));
  }
  out.scores = scores_of(out.confusion);
  out.ece = calibration_error(confidence, correct);
  // Votes of neighbours may be 0, so only a head has a log loss.
  if (!p.indices.empty() && trained.by_head)
    out.loss = loss / static_cast<double>(p.indices.size());
  return out;
}

std::string evaluation_json(const Evaluation& e, const std::vector<std::string>& classes) {
  return scores_json(
      e.scores, e.confusion, classes, e.ece,
      "\"split\":" + json_text(e.role) + ",\"loss\":" + (e.loss ? format_double(*e.loss) : "null"));
}

std::string evaluation_text(const Evaluation& e, const std::vector<std::string>& classes) {
  std::string out = e.role + " part, " + std::to_string(e.scores.n) + " images: macro-F1 " +
                    score_text(e.scores.f1_macro) + " over " + std::to_string(e.scores.averaged) +
                    " of " + std::to_string(classes.size()) + " classes, accuracy " +
                    score_text(e.scores.accuracy) + ", calibration error " + score_text(e.ece) +
                    "\n\n";
  size_t width = 5;
  for (const std::string& name : classes) width = std::max(width, escape_control(name).size());
  const auto cell = [](std::string text, size_t w, bool left = false) {
    if (text.size() < w) text.insert(left ? text.size() : 0, w - text.size(), ' ');
    return text;
  };
  out += cell("class", width, true) + "  images  precision  recall      F1\n";
  for (size_t c = 0; c < classes.size(); ++c) {
    const ClassScore& s = e.scores.per_class[c];
    out += cell(escape_control(classes[c]), width, true) + cell(std::to_string(s.support), 8) +
           cell(score_text(s.precision), 11) + cell(score_text(s.recall), 8) +
           cell(score_text(s.f1), 8) + "\n";
  }
  return out;
}

void add_data_choice(CommandLine command, DataChoice& choice) {
  command.add_option("--data", choice.paths, "Data sets; default: those of the run")
      .type_name("PATH");
  command.add_option("--preset", choice.preset, "Layout of the data set; default: as in the run");
  command.add_option("--labels", choice.labels, "Classes of the pbc layout: coarse fine");
  command
      .add_option(
          "--split", choice.split,
          "test, val, train, unseen or all; auto: the held-back part of the run's own data, "
          "all of other data")
      .one_of({"auto", "test", "val", "train", "unseen", "all"})
      .show_default();
  command
      .add_option_function(
          "--unknown-classes",
          [&choice](const std::string& text) { choice.drop_unknown = text == "drop"; },
          "Samples of classes the model does not know: error, drop")
      .one_of({"error", "drop"});
}

std::vector<int64_t> part_of(const Split& split, const std::string& role) {
  const std::vector<int64_t>& part = role == "test"     ? split.test
                                     : role == "val"    ? split.val
                                     : role == "unseen" ? split.unseen
                                                        : split.train;
  if (part.empty())
    throw ConfigError(
        Fault{"cli", "", "", "the run has no " + role + " part", "another --split", ""});
  return part;
}

ChosenData choose_data(const std::string& run, const TrainedModel& trained,
                       const DataChoice& choice) {
  ResolvedConfig resolved{trained.config, {}};
  if (!choice.paths.empty()) {
    std::string text;
    for (const std::string& path : choice.paths) text += (text.empty() ? "" : "\n") + path;
    set_config(resolved, config_field("data.path"), text, "--data");
  }
  if (!choice.preset.empty())
    set_config(resolved, config_field("data.preset"), choice.preset, "--preset");
  if (!choice.labels.empty())
    set_config(resolved, config_field("data.labels"), choice.labels, "--labels");
  ChosenData out;
  try {
    out.task = load_data(resolved.config, counting("reading images"));
  } catch (const DataError& e) {
    if (e.fault().id != "data.layout" || choice.paths.empty() || !choice.preset.empty()) throw;
    Fault fault = e.fault();
    fault.hint = "preset " + trained.config.preset +
                 " is that of the run; pass --preset auto, or " + "the name of the layout";
    throw DataError(fault);
  }
  out.same = out.task.report.hash == trained.data_hash;
  out.role = choice.split;
  if (out.same) {
    out.task.folds = read_splits(run + "/splits.csv", out.task.dataset);
    out.task.split = out.task.folds.at(
        static_cast<size_t>(out.task.folds.size() == 1 ? 0 : trained.config.fold));
    if (out.role == "auto")
      out.role = !out.task.split.test.empty()  ? "test"
                 : !out.task.split.val.empty() ? "val"
                                               : "train";
    if (out.role != "all") out.indices = part_of(out.task.split, out.role);
  } else if (out.role != "auto" && out.role != "all") {
    throw ConfigError(Fault{"cli", "", "",
                            "--split " + out.role + " with other data than the run's",
                            "--split all", "the split belongs to the data of the run"});
  } else {
    out.role = "all";
    const int64_t dropped =
        map_classes(out.task.dataset, trained.classes, choice.drop_unknown,
                    choice.paths.empty() ? resolved.config.data[0] : choice.paths[0]);
    if (dropped > 0)
      console().warn(std::to_string(dropped) + " samples of unknown classes are left out");
  }
  if (out.role == "all")
    for (int64_t i = 0; i < out.task.dataset.size(); ++i) out.indices.push_back(i);
  return out;
}

}  // namespace cytograd::cli
