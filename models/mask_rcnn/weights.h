#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cytograd/models/mask_rcnn/mask_rcnn.h"
#include "cytograd/nn/state_dict.h"

/// @file
/// State dicts of detectors: torchvision's names, those of its older releases, other numbers of
/// classes, and backbones alone.

namespace cytograd::models {

/// The name that today's torchvision gives to a tensor of an older file; others stay.
inline std::string current_name(const std::string& name) {
  const auto with = [&name](const std::string& prefix, const std::string& replacement) {
    return replacement + name.substr(prefix.size());
  };
  // "backbone.fpn.inner_blocks.2.weight" lacks the layer's place behind the block's.
  for (const std::string blocks : {"backbone.fpn.inner_blocks.", "backbone.fpn.layer_blocks."}) {
    if (!name.starts_with(blocks)) continue;
    const size_t dot = name.find('.', blocks.size());
    const std::string rest = dot == std::string::npos ? "" : name.substr(dot + 1);
    if (rest == "weight" || rest == "bias") return name.substr(0, dot) + ".0." + rest;
  }
  if (name == "rpn.head.conv.weight" || name == "rpn.head.conv.bias")
    return with("rpn.head.conv.", "rpn.head.conv.0.0.");
  for (int i = 1; i <= 4; ++i) {
    const std::string old = "roi_heads.mask_head.mask_fcn" + std::to_string(i) + ".";
    if (name.starts_with(old))
      return with(old, "roi_heads.mask_head." + std::to_string(i - 1) + ".0.");
  }
  return name;
}

struct DetectorLoadOptions {
  /// Predictors that were made for another number of classes keep the weights they have in the
  /// model; else they are an error.
  bool keep_predictors = false;
  std::string file = {};  ///< for messages
};

/// Loads a state dict of a whole detector: every tensor must be there and fit, counts of batches
/// aside; of a file with masks a model without them takes what it has.
/// @param state  in PyTorch's layout   @throws DataError `pt.keys` as nn::load_state_dict
inline nn::LoadReport load_detector(const MaskRcnn& model, const nn::NamedTensors& state,
                                    const DetectorLoadOptions& options = {}) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, tensor] : model.state_dict()) shapes.emplace(name, tensor.shape());
  nn::LoadOptions load;
  load.allow_unexpected = {"*num_batches_tracked"};
  if (!model.options().masks) load.allow_unexpected.push_back("roi_heads.mask_*");
  load.file = options.file;
  nn::NamedTensors given;
  for (const auto& [name, tensor] : nn::from_torch_layout(state)) {
    const std::string current = current_name(name);
    const auto target = shapes.find(current);
    const bool other_classes = options.keep_predictors && target != shapes.end() &&
                               current.find("_predictor.") != std::string::npos &&
                               !(target->second == tensor.shape());
    if (other_classes)
      load.allow_missing.push_back(current);
    else
      given.emplace_back(current, tensor);
  }
  return nn::load_state_dict(model, given, load);
}

/// Loads a classifier's state dict (ResNet of the same size) into the backbone; the classifier
/// layer is left out. @param state  in PyTorch's layout   @throws DataError `pt.keys`
inline nn::LoadReport load_backbone(const MaskRcnn& model, const nn::NamedTensors& state,
                                    const std::string& file = {}) {
  nn::LoadOptions load;
  load.allow_unexpected = {"fc.*", "embedding.*", "*num_batches_tracked"};
  load.file = file;
  return nn::load_state_dict(model.backbone().body(), nn::from_torch_layout(state), load);
}

namespace detail {

struct NamedSize {
  const char* name;
  ResNetSize size;
};
inline constexpr NamedSize detector_backbones[] = {{"resnet18", resnet18},
                                                   {"resnet34", resnet34},
                                                   {"resnet50", resnet50},
                                                   {"resnet101", resnet101}};

}  // namespace detail

/// The residual network of that name. @throws ValueError listing the names
inline ResNetSize detector_backbone(const std::string& name) {
  std::string known;
  for (const auto& [entry, size] : detail::detector_backbones) {
    if (name == entry) return size;
    known += (known.empty() ? "" : ", ") + std::string(entry);
  }
  throw ValueError("mask_rcnn: backbone expects one of " + known + ", got " + escape_control(name));
}

/// What a weight file must say beside its tensors (io/weights.h, metadata): what they do not show,
/// first of all the eps of frozen normalisation.
inline std::map<std::string, std::string> detector_metadata(const MaskRcnnOptions& options) {
  std::string backbone;
  for (const auto& [name, size] : detail::detector_backbones)
    if (size.bottleneck == options.backbone.bottleneck && size.blocks == options.backbone.blocks)
      backbone = name;
  std::ostringstream eps;
  eps.precision(17);
  eps << options.norm_eps;
  return {{"model", options.masks ? "mask_rcnn" : "faster_rcnn"},
          {"backbone", backbone},
          {"classes", std::to_string(options.classes)},
          {"frozen_norm", options.frozen_norm ? "1" : "0"},
          {"norm_eps", eps.str()},
          {"min_size", std::to_string(options.input.min_size.back())},
          {"max_size", std::to_string(options.input.max_size)}};
}

}  // namespace cytograd::models
