#pragma once

#include "bench/models/model_work.h"

/// @file
/// Mask R-CNN: "mask-rcnn-resnet18", "mask-rcnn-resnet50".

namespace cytograd::bench {

std::vector<std::string> detector_names();
bool is_detector(const std::string& model);

/// On images of 480 x 640 pixels that are not resized, of two classes. Weights, images and objects
/// are those that bench/peers/worker.py makes (bench/support/counted_detector.h), so that both have
/// as many proposals, regions and detections. Inference: 1000 proposals per image, the masks of
/// what is found laid over it. A training step: eight objects per image, the last three stages of
/// the backbone trained, SGD with momentum at a rate that leaves the weights nearly as they are.
Work detector_work(const ModelSetting& setting);

}  // namespace cytograd::bench
