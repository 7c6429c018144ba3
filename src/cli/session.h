#pragma once

#include <string>
#include <vector>

#include "cli/common.h"
#include "cytograd/train/metrics.h"
#include "cytograd/train/task.h"

namespace cytograd::cli {

/// Predictions of a run on labelled data, with scores.
struct Evaluation {
  std::string role;  ///< "test", "val", "train" or "all"
  Predictions predictions;
  Confusion confusion{0};
  Scores scores;
  std::optional<double> ece, loss;
};

Evaluation evaluate(const TrainedModel& trained, const Dataset& dataset,
                    const std::vector<int64_t>& indices, const std::string& role,
                    bool keep_embeddings = false);
/// JSON of the scores, one line.
std::string evaluation_json(const Evaluation& evaluation, const std::vector<std::string>& classes);
/// A table for people.
std::string evaluation_text(const Evaluation& evaluation, const std::vector<std::string>& classes);

/// Loader options for inference with this model.
LoaderOptions inference_loader(const TrainedModel& trained);

/// Labelled data for a run: the paths given, or else those of the run; layout and labels as in the
/// run unless given otherwise.
struct DataChoice {
  std::vector<std::string> paths;
  std::string preset, labels, split = "auto";
  bool drop_unknown = false;
};
void add_data_choice(CommandLine command, DataChoice& choice);

struct ChosenData {
  Task task;
  std::vector<int64_t> indices;
  std::string role;
  bool same = false;  ///< the data that the run was trained on
};
/// `auto` takes the held-back part if the data are those of the run, else everything.
ChosenData choose_data(const std::string& run, const TrainedModel& trained,
                       const DataChoice& choice);

/// Samples of one part of a split. @throws ConfigError if it is empty
std::vector<int64_t> part_of(const Split& split, const std::string& role);

/// Writes report/index.html and its tables from the run's best checkpoint; returns the page's path.
std::string write_run_report(const std::string& run, const TrainedModel& trained, const Task& task,
                             const Evaluation& evaluation);

}  // namespace cytograd::cli
