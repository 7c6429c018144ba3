#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/detection/anchors.h"
#include "cytograd/detection/match.h"
#include "cytograd/models/resnet.h"

/// @file
/// The numbers of Mask R-CNN. Defaults are those of torchvision.models.detection.

namespace cytograd::models {

/// How images become the network's input (models/mask_rcnn/transform.h).
struct DetectorInput {
  std::vector<double> mean = {0.485, 0.456, 0.406}, std = {0.229, 0.224, 0.225};
  /// Shorter side in pixels after resizing. Of several, training draws one for each image and
  /// detection uses the last.
  std::vector<int64_t> min_size = {800};
  int64_t max_size = 1333;  ///< the longer side stays within this
  /// torchvision before 0.15 computed the scale in float32, which may lose a pixel.
  bool float32_scale = false;
  int64_t multiple = 32;  ///< heights and widths of batches are rounded up to multiples of this
};

/// Region proposals (models/mask_rcnn/rpn.h).
struct RpnOptions {
  detection::AnchorOptions anchors;
  int64_t train_before_nms = 2000, train_after_nms = 2000;  ///< kept per level, and of all levels
  int64_t before_nms = 1000, after_nms = 1000;              ///< the same at detection
  double nms_threshold = 0.7;
  float score_threshold = 0;  ///< proposals expect a score >= this
  float smallest_side = 1e-3f;
  detection::MatchOptions match{.high = 0.7f, .low = 0.3f, .low_quality = true};
  int64_t samples = 256;  ///< anchors per image in the losses
  double positive_fraction = 0.5;
};

/// Heads on regions (models/mask_rcnn/box_head.h and mask_head.h).
struct RoiOptions {
  detection::MatchOptions match{.high = 0.5f, .low = 0.5f};
  int64_t samples = 512;  ///< regions per image in the losses
  double positive_fraction = 0.25;
  float score_threshold = 0.05f;  ///< detections expect a score > this
  double nms_threshold = 0.5;
  float smallest_side = 1e-2f;
  int64_t detections = 100;              ///< per image
  int64_t box_size = 7, mask_size = 14;  ///< cells of a pooled region; predicted masks have twice
  int64_t hidden = 1024;                 ///< units of the box head's layers
};

struct MaskRcnnOptions {
  ResNetSize backbone = resnet50;
  int64_t classes = 2;  ///< background, which is class 0, included; >= 2
  bool masks = true;    ///< false: Faster R-CNN
  /// One per class without the background: was its mask trained? What the branch says of the others
  /// is noise, which models/mask_rcnn/tiled.h leaves out. Empty: all were.
  std::vector<bool> outlined = {};
  int64_t channels = 256;  ///< of the pyramid and of the heads' convolutions
  /// Frozen batch normalisation is right for fine-tuning; a backbone trained from random weights
  /// needs the other.
  bool frozen_norm = true;
  /// Added to variances. Not part of a state dict: 1e-5 in general, 0 for torchvision's COCO
  /// weights (version 1) and what was fine-tuned from them.
  double norm_eps = 1e-5;
  /// How many of layer4, layer3, layer2, layer1, conv1, in this order, are trained; 3 is usual for
  /// a pretrained backbone, 5 trains all.
  int trainable_layers = 5;
  DetectorInput input;
  RpnOptions rpn;
  RoiOptions roi;
  uint64_t seed = 0;       ///< of the initial weights
  bool initialize = true;  ///< false leaves the weights unset (NaN) for a state dict to fill

  /// @param label  1..classes-1
  bool has_outline(int64_t label) const {
    return masks && (outlined.empty() || outlined[static_cast<size_t>(label - 1)]);
  }
};

/// Names what is drawn during a training step: the same seed and step draw the same anchors,
/// regions and sizes.
struct TrainStep {
  uint64_t seed = 0, step = 0;
};

}  // namespace cytograd::models
