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
void add_detector_choice(CommandLine command, DetectorChoice& choice);

/// A detector, and images for it that are not annotated: files, and those below folders in order of
/// their bytes.
struct DetectionWork {
  TrainedDetector trained;
  std::vector<std::string> paths;
  ImageOptions reading;
};
/// @param max_pixels  of an image; 0: as in the run
DetectionWork open_work(const DetectorChoice& choice, const std::vector<std::string>& paths,
                        int64_t max_pixels, Device device);

/// How objects are sought in an image.
struct Search {
  double score = 0.5;     ///< least of an object
  int64_t side = 0;       ///< of tiles, as tiles_for
  double overlap = 0.25;  ///< of tiles, share of their side
};
/// Objects of one image with at least that score. @param not_finite  candidates left out are added
std::vector<detection::FoundObject> search_image(const TrainedDetector& trained, const Image& image,
                                                 const Search& search, const std::string& path,
                                                 int64_t* not_finite = nullptr);

/// A name for results of an image: its stem, numbered where several have the same.
std::vector<std::string> result_names(const std::vector<std::string>& paths);

/// Scores of a trained detector on a part of fields. @param found  as score_fields
DetectorScores evaluate_fields(const TrainedDetector& trained, const FieldSet& fields,
                               const std::vector<int64_t>& part, const FoundCallback& found = {});

void add_segment_train(CommandLine segment);
void add_segment_eval(CommandLine segment);
void add_segment_predict(CommandLine segment);
void add_segment_features(CommandLine segment);

}  // namespace cytograd::cli
