#pragma once

#include <string>
#include <vector>

#include "cytograd/detection/sample.h"
#include "cytograd/losses/detection.h"
#include "cytograd/models/mask_rcnn/proposals.h"
#include "cytograd/models/mask_rcnn/transform.h"
#include "cytograd/nn/activation.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/sequential.h"
#include "cytograd/ops/index.h"

/// @file
/// Region proposal network (Ren et al., "Faster R-CNN", 2015, section 3.1) on a feature pyramid.

namespace cytograd::models {

/// The head's results, one entry per level.
struct RpnOutput {
  std::vector<Tensor> objectness;  ///< [N, h, w, A] logits
  std::vector<Tensor> deltas;      ///< [N, h, w, 4 A], anchor a at 4a..4a+3
};

struct RpnLosses {
  Tensor objectness, box_reg;
};

namespace detail {

/// N(0, 0.01) at first, bias 0.
class RpnConv : public nn::Conv2d {
 public:
  RpnConv(int64_t in, int64_t out, int64_t kernel)
      : nn::Conv2d(in, out, kernel, Conv2dOptions{.padding = kernel / 2}) {}

 protected:
  void reset_parameters(const nn::init::Stream& stream) override {
    nn::init::normal(weight, 0, 0.01, stream, "weight");
    const NoGrad no_grad;
    bias.fill_(0);
  }
};

/// Floats on the device of `like`, in its dtype.
inline Tensor values_like(const std::vector<float>& values, const Shape& shape,
                          const Tensor& like) {
  return Tensor::from(values, shape).to(like.dtype()).to(like.device());
}
inline Tensor index_like(const std::vector<int64_t>& index, const Tensor& like) {
  return Tensor::from(index).to(like.device());
}

}  // namespace detail

/// 3x3 convolution and ReLU, then 1x1 to logits and box differences; shared by all levels.
class RpnHead : public nn::Module {
 public:
  RpnHead(int64_t channels, int64_t anchors)
      : conv_(add<nn::Sequential>("conv")),
        cls_logits_(add<detail::RpnConv>("cls_logits", channels, anchors, int64_t{1})),
        bbox_pred_(add<detail::RpnConv>("bbox_pred", channels, 4 * anchors, int64_t{1})) {
    auto& block = conv_.push<nn::Sequential>();
    block.push<detail::RpnConv>(channels, channels, int64_t{3});
    block.push<nn::ReLU>();
  }

  RpnOutput forward(const std::vector<Tensor>& levels) const {
    RpnOutput out;
    for (const Tensor& level : levels) {
      const Tensor hidden = conv_.forward(level);
      out.objectness.push_back(cls_logits_.forward(hidden));
      out.deltas.push_back(bbox_pred_.forward(hidden));
    }
    return out;
  }

 private:
  nn::Sequential& conv_;
  detail::RpnConv &cls_logits_, &bbox_pred_;
};

class RegionProposals : public nn::Module {
 public:
  /// @throws ValueError unless there are sizes for five levels, equally many for each
  explicit RegionProposals(const MaskRcnnOptions& options)
      : options_(options.rpn),
        head_(add<RpnHead>("head", options.channels, options.rpn.anchors.per_cell())) {
    const auto& sizes = options_.anchors.sizes;
    check<ValueError>(sizes.size() == 5, "mask_rcnn", "anchor sizes expect 5 levels, got ",
                      sizes.size());
    for (const auto& level : sizes) {
      check<ValueError>(level.size() == sizes[0].size(), "mask_rcnn",
                        "anchor sizes expect equally many on all levels, got ", level.size(),
                        " and ", sizes[0].size());
      cells_.push_back(detection::cell_anchors(level, options_.anchors.ratios));
    }
  }

  const RpnHead& head() const { return head_; }

  /// Anchors of every level for a batch of these sizes.
  std::vector<std::vector<detection::Box>> anchors(const RpnOutput& output, Pair padded) const {
    std::vector<std::vector<detection::Box>> out;
    for (size_t l = 0; l < cells_.size(); ++l)
      out.push_back(detection::grid_anchors(
          cells_[l], padded, {output.objectness[l].size(1), output.objectness[l].size(2)}));
    return out;
  }

  /// Proposals of each image (models/mask_rcnn/proposals.h). No gradient.
  std::vector<Proposals> propose(const RpnOutput& output,
                                 const std::vector<std::vector<detection::Box>>& anchors,
                                 const ImageBatch& batch, const ProposalLimits& limits) const {
    std::vector<std::vector<float>> logits, deltas;
    for (size_t l = 0; l < anchors.size(); ++l) {
      logits.push_back(output.objectness[l].detach().to_vector<float>());
      deltas.push_back(output.deltas[l].detach().to_vector<float>());
    }
    std::vector<Proposals> out;
    for (size_t n = 0; n < batch.sizes.size(); ++n) {
      std::vector<LevelPredictions> levels;
      for (size_t l = 0; l < anchors.size(); ++l) {
        const size_t count = anchors[l].size();
        levels.push_back({std::span<const float>(logits[l]).subspan(n * count, count),
                          std::span<const float>(deltas[l]).subspan(4 * n * count, 4 * count),
                          anchors[l]});
      }
      out.push_back(
          models::propose(levels, batch.sizes[n], limits, options_, output.objectness[0].device()));
    }
    return out;
  }
  ProposalLimits limits(bool training) const {
    return training ? ProposalLimits{options_.train_before_nms, options_.train_after_nms}
                    : ProposalLimits{options_.before_nms, options_.after_nms};
  }

  /// Over the anchors sampled in the whole batch, of which `positive` are matched: the mean
  /// cross-entropy of all, and the sum of the positives' box losses, divided by the number of all.
  RpnLosses losses(const RpnOutput& output, const std::vector<std::vector<detection::Box>>& anchors,
                   const std::vector<Target>& targets, const TrainStep& step) const {
    std::vector<detection::Box> all;
    for (const auto& level : anchors) all.insert(all.end(), level.begin(), level.end());
    std::vector<int64_t> positive, negative;  // places in the flattened predictions
    std::vector<float> wanted;                // differences of the positives
    for (size_t n = 0; n < targets.size(); ++n) {
      const std::vector<detection::Box>& objects = targets[n].boxes;
      const std::vector<int64_t> matched = match_anchors(objects, all);
      std::vector<int64_t> labels(all.size());
      for (size_t i = 0; i < all.size(); ++i)
        labels[i] = matched[i] >= 0 ? 1 : matched[i] == detection::below_low ? 0 : -1;
      const detection::Sampled drawn =
          detection::sample(labels, options_.samples, options_.positive_fraction,
                            Rng(step.seed, "mask_rcnn/anchors", step.step, n));
      const auto first = static_cast<int64_t>(n * all.size());
      for (const int64_t i : drawn.positive) {
        positive.push_back(first + i);
        const auto at = static_cast<size_t>(i);
        for (const float d : detection::encode(objects[static_cast<size_t>(matched[at])], all[at]))
          wanted.push_back(d);
      }
      for (const int64_t i : drawn.negative) negative.push_back(first + i);
    }
    return losses_of(output, positive, negative, wanted);
  }

 private:
  std::vector<int64_t> match_anchors(const std::vector<detection::Box>& objects,
                                     const std::vector<detection::Box>& anchors) const {
    if (objects.empty()) return std::vector<int64_t>(anchors.size(), detection::below_low);
    return detection::match(
        static_cast<int64_t>(objects.size()), static_cast<int64_t>(anchors.size()),
        [&](int64_t i, int64_t j) {
          return detection::overlap(objects[static_cast<size_t>(i)],
                                    anchors[static_cast<size_t>(j)]);
        },
        options_.match);
  }

  static RpnLosses losses_of(const RpnOutput& output, const std::vector<int64_t>& positive,
                             const std::vector<int64_t>& negative,
                             const std::vector<float>& wanted) {
    const int64_t images = output.objectness[0].size(0);
    Tensors logits, deltas;
    for (size_t l = 0; l < output.objectness.size(); ++l) {
      logits.push_back(reshape(output.objectness[l], {images, -1}));
      deltas.push_back(reshape(output.deltas[l], {images, -1, 4}));
    }
    const Tensor all_logits = reshape(concat(logits, 1), {-1}),
                 all_deltas = reshape(concat(deltas, 1), {-1, 4});
    std::vector<int64_t> sampled(positive);
    sampled.insert(sampled.end(), negative.begin(), negative.end());
    std::vector<float> is_object(sampled.size(), 0.f);
    std::fill_n(is_object.begin(), positive.size(), 1.f);
    const auto count = static_cast<int64_t>(sampled.size()),
               objects = static_cast<int64_t>(positive.size());
    const double share = 1 / static_cast<double>(std::max<int64_t>(count, 1));
    const Tensor x = index_select(all_logits, 0, detail::index_like(sampled, all_logits));
    const Tensor d = index_select(all_deltas, 0, detail::index_like(positive, all_deltas));
    return {
        losses::binary_cross_entropy_sum(x, detail::values_like(is_object, {count}, x)) * share,
        losses::smooth_l1_sum(d, detail::values_like(wanted, {objects, 4}, d), 1.0 / 9) * share};
  }

  RpnOptions options_;
  std::vector<std::vector<detection::Box>> cells_;  // anchors about (0, 0) of each level
  RpnHead& head_;
};

}  // namespace cytograd::models
