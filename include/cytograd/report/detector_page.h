#pragma once

#include <string>
#include <vector>

#include "cytograd/data/fields.h"
#include "cytograd/detection/tiles.h"
#include "cytograd/io/image.h"
#include "cytograd/train/detector.h"

/// @file
/// The page of `cyto segment eval --page`: scores, curves, and fields with what was missed.

namespace cytograd {

/// How what was found in a field agrees with its annotation.
struct FieldJudgement {
  int64_t hits = 0;
  std::vector<size_t> missed;  ///< places of objects that nothing was found for
  std::vector<size_t> alarms;  ///< places of findings that are no object
  /// Hits of all that was annotated or found; 1 where there is nothing and nothing was found.
  double share() const;
};

/// In order of falling score, each finding with a score of at least `least` takes the object of its
/// class with the largest overlap that no other has, at least 0.5: of masks where both have one, of
/// boxes elsewhere. Groups count neither way, nor does what lies in one by half.
FieldJudgement judge_field(const Field& field, const std::vector<detection::FoundObject>& found,
                           float least = 0.5f);

/// A field as the page shows it: outlines of what was found (report/overlay.h), violet frames with
/// gaps about what was missed, yellow frames about false alarms.
Image draw_judged(const Image& image, const Field& field,
                  const std::vector<detection::FoundObject>& found, const FieldJudgement& judgement,
                  float least = 0.5f);

/// Precision by recall at an overlap of 0.5, a line per class: boxes, and masks where there are
/// any.
std::string precision_recall_svg(const DetectorScores& scores,
                                 const std::vector<std::string>& classes);

/// What the page shows of one field.
struct PageField {
  std::string name;
  Image picture;  ///< draw_judged
  FieldJudgement judgement;
};
struct DetectorPage {
  std::string title, subtitle;
  std::vector<std::string> classes;
  DetectorScores scores;
  std::vector<PageField> worst, best;  ///< in this order
};
/// One self-contained page: no script, nothing loaded from elsewhere.
std::string detector_page_html(const DetectorPage& page);

}  // namespace cytograd
