#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "cytograd/models/image_model.h"

/// @file
/// Which part of a network a tensor belongs to, for frozen stages and learning rates by stage.

namespace cytograd::models {

/// Parts that are no numbered stage.
inline constexpr int64_t stem_stage = 0, classifier_stage = -1, embedding_stage = -2;

/// By the name of a tensor or module: 1, 2, ... for the stages of a ResNet (layer1) or a DenseNet
/// (denseblock1 and the transition behind it; the last norm belongs to the last block).
inline int64_t stage_of(const std::string& name) {
  for (const char* classifier : {"fc", "classifier", "linear"})
    if (name == classifier || name.starts_with(std::string(classifier) + "."))
      return classifier_stage;
  if (name.starts_with("embedding")) return embedding_stage;
  for (const std::string_view prefix : {"layer", "features.denseblock", "features.transition"})
    if (name.starts_with(prefix) && name.size() > prefix.size()) return name[prefix.size()] - '0';
  return name.starts_with("features.norm5") ? 4 : stem_stage;
}

/// Numbered stages of a network.
inline int64_t stage_count(const ImageModel& model) {
  int64_t out = 0;
  for (const auto& [name, tensor] : model.named_parameters()) out = std::max(out, stage_of(name));
  return out;
}

}  // namespace cytograd::models
