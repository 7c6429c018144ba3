#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/models/mask_rcnn/mask_rcnn.h"

/// @file
/// What a detector sees of single cells, for models that learn from it: features of the mask
/// branch, a soft mask and the crop. docs/segmentation.md.

namespace cytograd {

struct CellFeatureOptions {
  double score = 0.5;     ///< least score of the instance
  int level = -1;         ///< 0..3: level of the pyramid that features are pooled from; -1: by size
  bool hard = false;      ///< masks of 0 and 1 instead of soft ones
  int64_t target = 128;   ///< side of masks and crops
  int64_t dilate = 9;     ///< pixels by which soft masks grow before they are resized
  double blur_sigma = 2;  ///< of the 11 x 11 blur behind that, pixels of the result
};

/// One cell.
struct CellFeatures {
  int64_t cells = 0, channels = 0;  ///< of the features, 14 and 256
  std::vector<float> h;             ///< [cells, cells, channels], in -1..1
  float h_min = 0, h_max = 0;       ///< before they were scaled
  std::vector<float> mask;          ///< [target, target], in 0..1
  std::vector<float> crop;          ///< [target, target, 3], in 0..1
  detection::Box box;               ///< in pixels of the image
  float score = 0;                  ///< 0 if undetected
  int64_t label = 0;                ///< 0 if undetected
  int64_t level = 0;                ///< that `h` was pooled from
  int64_t others = 0;               ///< further instances with that score
  bool flat_features = false;       ///< all equal: `h` is 0
  bool empty_mask = false;          ///< the box was taken for the mask
  bool undetected = false;          ///< box: the middle three quarters; mask: all ones
};

/// Describes the cell that a crop about it shows. The instance is chosen as
/// detection::choose_instance; its mask is the largest part with holes filled. Deterministic for a
/// model in evaluation mode. @param name  for messages
/// @throws ValueError for a level outside -1..3 or a target below 2, StateError without masks
CellFeatures describe_cell(const models::MaskRcnn& model, const Image& image,
                           const CellFeatureOptions& options, const std::string& name);

/// The part of a field about a box: `side` pixels square, moved inside the field, or as much as the
/// field has. `box` becomes the box in it.
Image crop_about(const Image& field, int64_t side, detection::Box& box);

}  // namespace cytograd
