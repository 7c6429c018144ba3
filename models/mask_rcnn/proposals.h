#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "cytograd/core/pair.h"
#include "cytograd/detection/suppress.h"
#include "cytograd/models/mask_rcnn/options.h"

/// @file
/// From what the region proposal network predicts to boxes. On the host: a few thousand boxes per
/// image, and no gradient flows through them.

namespace cytograd::models {

/// One level's predictions for one image, on the host.
struct LevelPredictions {
  std::span<const float> objectness;  ///< [h w A] logits
  std::span<const float> deltas;      ///< [h w A, 4]
  std::span<const detection::Box> anchors;
};

struct Proposals {
  std::vector<detection::Box> boxes;  ///< in pixels of the network's input, falling score
  std::vector<float> scores;
  int64_t not_finite = 0;  ///< anchors left out because their logit was NaN, or their box
};

/// How many proposals stay before and after suppression.
struct ProposalLimits {
  int64_t before_nms, after_nms;
};

namespace detail {

inline float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

}  // namespace detail

/// Of each level the anchors with the largest logits; their boxes, decoded and clipped to the
/// image; without those that are too small or score too low; suppressed per level; the best of all
/// levels.
/// @param size  of the image in the batch, padding not counted
inline Proposals propose(const std::vector<LevelPredictions>& levels, Pair size,
                         const ProposalLimits& limits, const RpnOptions& options, Device device) {
  Proposals out;
  detection::ScoredBoxes candidates;
  for (size_t l = 0; l < levels.size(); ++l) {
    const LevelPredictions& level = levels[l];
    for (const float logit : level.objectness) out.not_finite += std::isnan(logit) ? 1 : 0;
    for (const int64_t at : detection::largest(level.objectness, limits.before_nms)) {
      const auto i = static_cast<size_t>(at);
      const detection::Box box = detection::clip(
          detection::decode(&level.deltas[4 * i], level.anchors[i]), size.h, size.w);
      if (!detection::finite(box)) {
        ++out.not_finite;
        continue;
      }
      const float score = detail::sigmoid(level.objectness[i]);
      if (detection::sides_at_least(box, options.smallest_side) && score >= options.score_threshold)
        candidates.add(box, score, static_cast<int64_t>(l));
    }
  }
  detection::ScoredBoxes kept =
      detection::suppress(candidates, options.nms_threshold, limits.after_nms, device);
  out.boxes = std::move(kept.boxes);
  out.scores = std::move(kept.scores);
  return out;
}

}  // namespace cytograd::models
