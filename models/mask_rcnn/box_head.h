#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "cytograd/detection/sample.h"
#include "cytograd/detection/suppress.h"
#include "cytograd/losses/detection.h"
#include "cytograd/models/mask_rcnn/roi_pool.h"
#include "cytograd/models/mask_rcnn/rpn.h"
#include "cytograd/nn/linear.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/softmax.h"

/// @file
/// The second stage's boxes (Girshick, "Fast R-CNN", 2015): class and box of each region.

namespace cytograd::models {

/// Factors of the differences that this head predicts.
inline constexpr detection::BoxWeights region_weights{10, 10, 5, 5};

/// Regions that train the heads.
struct RegionSamples {
  Regions regions;
  std::vector<int64_t> labels;   ///< 0: background
  std::vector<int64_t> objects;  ///< the object of its image that each is matched to; -1: none
};

/// From the proposals of each image and its annotated boxes: matched, labelled, sampled.
inline RegionSamples sample_regions(const std::vector<Proposals>& proposals,
                                    const std::vector<Target>& targets, const RoiOptions& options,
                                    const TrainStep& step) {
  RegionSamples out;
  for (size_t n = 0; n < targets.size(); ++n) {
    const Target& target = targets[n];
    std::vector<detection::Box> boxes = proposals[n].boxes;
    boxes.insert(boxes.end(), target.boxes.begin(), target.boxes.end());
    std::vector<int64_t> objects(boxes.size(), -1), labels(boxes.size(), 0);
    if (!target.boxes.empty())
      objects = detection::match(
          static_cast<int64_t>(target.boxes.size()), static_cast<int64_t>(boxes.size()),
          [&](int64_t i, int64_t j) {
            return detection::overlap(target.boxes[static_cast<size_t>(i)],
                                      boxes[static_cast<size_t>(j)]);
          },
          options.match);
    for (size_t i = 0; i < boxes.size(); ++i) {
      if (objects[i] >= 0) labels[i] = target.labels[static_cast<size_t>(objects[i])];
      if (objects[i] == detection::between) labels[i] = -1;
    }
    const detection::Sampled drawn =
        detection::sample(labels, options.samples, options.positive_fraction,
                          Rng(step.seed, "mask_rcnn/regions", step.step, n));
    for (const int64_t place : drawn.all()) {
      const auto i = static_cast<size_t>(place);
      out.regions.add(boxes[i], n);
      out.labels.push_back(labels[i]);
      out.objects.push_back(std::max<int64_t>(objects[i], -1));
    }
  }
  return out;
}

struct BoxOutput {
  Tensor logits;  ///< [R, classes]
  Tensor deltas;  ///< [R, 4 classes], class c at 4c..4c+3
};

struct BoxLosses {
  Tensor classifier, box_reg;
};

/// Two hidden layers. Cells are flattened channel by channel, as PyTorch does, so that weights keep
/// their order.
class BoxHead : public nn::Module {
 public:
  BoxHead(int64_t channels, const RoiOptions& options)
      : fc6_(
            add<nn::Linear>("fc6", channels * options.box_size * options.box_size, options.hidden)),
        fc7_(add<nn::Linear>("fc7", options.hidden, options.hidden)) {}

  /// @param pooled [R, size, size, C]   @return [R, hidden]
  Tensor forward(const Tensor& pooled) const {
    const Tensor flat =
        reshape(permute(pooled, {0, 3, 1, 2}), {pooled.size(0), fc6_.weight.size(1)});
    return relu(fc7_.forward(relu(fc6_.forward(flat))));
  }
  Dtype dtype() const { return fc6_.weight.dtype(); }
  Device device() const { return fc6_.weight.device(); }

 private:
  nn::Linear &fc6_, &fc7_;
};

/// Class logits, and box differences for every class.
class BoxPredictor : public nn::Module {
 public:
  BoxPredictor(int64_t hidden, int64_t classes)
      : cls_score_(add<nn::Linear>("cls_score", hidden, classes)),
        bbox_pred_(add<nn::Linear>("bbox_pred", hidden, 4 * classes)) {}

  BoxOutput forward(const Tensor& hidden) const {
    return {cls_score_.forward(hidden), bbox_pred_.forward(hidden)};
  }

 private:
  nn::Linear &cls_score_, &bbox_pred_;
};

/// The mean cross-entropy over all regions, and the sum of the positives' box losses, those of
/// their class alone, divided by the number of all regions. 0 without regions.
/// @param targets  in the network's pixels, one per image
inline BoxLosses box_losses(const BoxOutput& output, const RegionSamples& samples,
                            const std::vector<Target>& targets) {
  const int64_t regions = output.logits.size(0), classes = output.logits.size(1);
  std::vector<int64_t> rows;  // of the deltas as [R classes, 4]
  std::vector<float> wanted;
  for (size_t r = 0; r < samples.labels.size(); ++r) {
    if (samples.labels[r] <= 0) continue;
    rows.push_back(static_cast<int64_t>(r) * classes + samples.labels[r]);
    const Target& target = targets[static_cast<size_t>(samples.regions.images[r])];
    for (const float d : detection::encode(target.boxes[static_cast<size_t>(samples.objects[r])],
                                           samples.regions.boxes[r], region_weights))
      wanted.push_back(d);
  }
  const Tensor all = reshape(output.deltas, {regions * classes, 4});
  const Tensor d = index_select(all, 0, detail::index_like(rows, all));
  const Tensor target = detail::values_like(wanted, {static_cast<int64_t>(rows.size()), 4}, d);
  const double share = 1 / static_cast<double>(std::max<int64_t>(regions, 1));
  return {regions == 0 ? sum(output.logits)
                       : cross_entropy(output.logits, detail::index_like(samples.labels, all)),
          losses::smooth_l1_sum(d, target, 1.0 / 9) * share};
}

/// What is found in one image, in order of falling score.
struct FoundBoxes {
  std::vector<detection::Box> boxes;  ///< in the network's pixels, clipped to the image
  std::vector<int64_t> labels;
  std::vector<float> scores;
  int64_t not_finite = 0;  ///< regions left out because of logits or boxes that are not finite
};

/// Softmax, decoding for every class but the background, clipping; scores above the threshold and
/// boxes not too small; suppression per class; the best `options.detections` of each image. No
/// gradient.
inline std::vector<FoundBoxes> find_boxes(const BoxOutput& output, const Regions& regions,
                                          const std::vector<Pair>& sizes,
                                          const RoiOptions& options) {
  std::vector<FoundBoxes> out(sizes.size());
  std::vector<detection::ScoredBoxes> candidates(sizes.size());
  const auto classes = static_cast<size_t>(output.logits.size(1));
  const std::vector<float> scores = softmax(output.logits.detach(), 1).to_vector<float>(),
                           deltas = output.deltas.detach().to_vector<float>();
  for (size_t r = 0; r < regions.boxes.size(); ++r) {
    const auto n = static_cast<size_t>(regions.images[r]);
    bool bad = std::isnan(scores[r * classes]);  // of one class, then of all
    for (size_t c = 1; c < classes; ++c) {
      const float score = scores[r * classes + c];
      const detection::Box box = detection::clip(
          detection::decode(&deltas[4 * (r * classes + c)], regions.boxes[r], region_weights),
          sizes[n].h, sizes[n].w);
      bad = bad || !detection::finite(box);
      if (score > options.score_threshold && detection::sides_at_least(box, options.smallest_side))
        candidates[n].add(box, score, static_cast<int64_t>(c));
    }
    out[n].not_finite += bad ? 1 : 0;
  }
  for (size_t n = 0; n < sizes.size(); ++n) {
    detection::ScoredBoxes kept = detection::suppress(candidates[n], options.nms_threshold,
                                                      options.detections, output.logits.device());
    out[n].boxes = std::move(kept.boxes);
    out[n].scores = std::move(kept.scores);
    out[n].labels = std::move(kept.groups);
  }
  return out;
}

}  // namespace cytograd::models
