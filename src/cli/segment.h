#pragma once

#include <string>
#include <vector>

#include "cli/common.h"
#include "cytograd/train/detector.h"

/// @file
/// What the parts of `cyto segment` share; one file per part.

namespace cytograd::cli {

/// Which run, and which of its checkpoints.
struct DetectorChoice {
  std::string run, checkpoint = "best";
};
void add_detector_choice(CLI::App& command, DetectorChoice& choice);

/// Images that are not annotated: files, and those below folders in order of their bytes.
std::vector<std::string> image_paths(const std::vector<std::string>& given);
/// A name for results of an image: its stem, numbered where several have the same.
std::vector<std::string> result_names(const std::vector<std::string>& paths);

/// Scores of a trained detector on a part of fields. @param found  as score_fields
DetectorScores evaluate_fields(const TrainedDetector& trained, const FieldSet& fields,
                               const std::vector<int64_t>& part, const FoundCallback& found = {});

void add_segment_train(CLI::App& segment);
void add_segment_eval(CLI::App& segment);
void add_segment_predict(CLI::App& segment);
void add_segment_features(CLI::App& segment);

}  // namespace cytograd::cli
