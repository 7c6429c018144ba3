#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "cytograd/detection/rle.h"

/// @file
/// Average precision and recall as the COCO challenge defines them (Lin et al., "Microsoft COCO",
/// 2014, and the rules of the detection challenge), for boxes and for masks.

namespace cytograd::detection {

/// A box as COCO files hold it: left, top, width, height in pixels.
struct CocoBox {
  double x = 0, y = 0, w = 0, h = 0;
};

/// An annotated object.
struct CocoObject {
  int64_t category = 1;
  CocoBox box;
  double area = 0;     ///< as annotated, mostly that of the mask, also for boxes
  bool crowd = false;  ///< a group: what lies in it is neither right nor wrong
  Rle mask;            ///< for CocoKind::mask
};

/// A detection.
struct CocoResult {
  int64_t category = 1;
  CocoBox box;
  double score = 0;
  Rle mask;  ///< for CocoKind::mask
};

/// One image; those without objects count too, by their false alarms.
struct CocoImage {
  std::vector<CocoObject> objects;
  std::vector<CocoResult> results;
};

enum class CocoKind { box, mask };

/// Means over thresholds of overlap and, where there are several, over categories. -1 where there
/// is no object to find (never 0); 0 where there are objects and none is found.
struct CocoScores {
  double ap = -1;                                       ///< overlap 0.5, 0.55, .. 0.95
  double ap50 = -1, ap75 = -1;                          ///< one overlap
  double ap_small = -1, ap_medium = -1, ap_large = -1;  ///< up to 32^2, 96^2 pixels, above
  double ar1 = -1, ar10 = -1, ar100 = -1;               ///< recall with so many per image
  double ar_small = -1, ar_medium = -1, ar_large = -1;  ///< recall with 100 per image
  /// Precision at overlap 0.5 for recalls 0, 0.01, .. 1; of a mean over categories it is empty.
  std::vector<double> precision50;
};

struct CocoReport {
  CocoScores all;
  std::map<int64_t, CocoScores> categories;
};

/// Detections are matched per image and category in order of falling score (equal scores in their
/// order), the best 100 of each image; each takes the object with the largest overlap that no other
/// has, at least the threshold. Precision is made falling from the right and read at 101 recalls.
/// @throws ValueError for a score that is NaN, or masks that are missing or of different sizes
CocoReport evaluate_coco(const std::vector<CocoImage>& images, CocoKind kind);

}  // namespace cytograd::detection
