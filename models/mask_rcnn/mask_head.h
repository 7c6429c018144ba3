#pragma once

#include <string>
#include <vector>

#include "cytograd/models/mask_rcnn/box_head.h"
#include "cytograd/nn/conv_transpose2d.h"

/// @file
/// The third branch (He et al., "Mask R-CNN", 2017, section 3): a mask of each region per class.

namespace cytograd::models {

/// Four 3x3 convolutions, each with ReLU.
class MaskHead : public nn::Sequential {
 public:
  explicit MaskHead(int64_t channels) {
    for (int i = 0; i < 4; ++i) {
      auto& block = push<nn::Sequential>();
      block.push<nn::Conv2d>(channels, channels, 3, Conv2dOptions{.padding = 1}).weight_init =
          nn::init::Weight::he_normal_fan_out;
      block.push<nn::ReLU>();
    }
  }
};

namespace detail {

/// He normal by the fan out at first; the bias uniform in +-1/sqrt(fan_in).
template <class Layer>
class MaskLayer : public Layer {
 public:
  using Layer::Layer;

 protected:
  void reset_parameters(const nn::init::Stream& stream) override {
    nn::init::kaiming_normal(this->weight, nn::init::Fan::out, stream, "weight");
    const double bound = 1 / std::sqrt(nn::init::fan(this->weight, nn::init::Fan::in));
    nn::init::uniform(this->bias, -bound, bound, stream, "bias");
  }
};

}  // namespace detail

/// Twice the cells by a transposed convolution, ReLU, then a mask per class.
class MaskPredictor : public nn::Module {
 public:
  MaskPredictor(int64_t channels, int64_t classes)
      : conv5_mask_(add<detail::MaskLayer<nn::ConvTranspose2d>>(
            "conv5_mask", channels, channels, 2, ConvTranspose2dOptions{.stride = 2})),
        mask_fcn_logits_(
            add<detail::MaskLayer<nn::Conv2d>>("mask_fcn_logits", channels, classes, 1)) {}

  /// @param x [D, s, s, C]   @return [D, 2s, 2s, classes] logits; class 0 is never used
  Tensor forward(const Tensor& x) const {
    return mask_fcn_logits_.forward(relu(conv5_mask_.forward(x)));
  }

 private:
  nn::ConvTranspose2d& conv5_mask_;
  nn::Conv2d& mask_fcn_logits_;
};

/// The channel of each mask's class: [D, m, m, classes] -> [D, m, m, 1].
inline Tensor masks_of_labels(const Tensor& logits, const std::vector<int64_t>& labels) {
  const int64_t count = logits.size(0);
  const Tensor index = expand(reshape(detail::index_like(labels, logits), {count, 1, 1, 1}),
                              {count, logits.size(1), logits.size(2), 1});
  return gather(logits, 3, index);
}

/// What the masks of regions should be: RoIAlign of the object's binary mask, one pixel per cell of
/// features, adaptive sampling; values are therefore soft, in 0..1. [R, size, size, 1].
/// @param objects  of `target`, one per region; all have masks
inline Tensor mask_targets(const Target& target, const std::vector<detection::Box>& regions,
                           const std::vector<int64_t>& objects, int64_t size, Dtype dtype,
                           Device device) {
  // Only masks that some region needs.
  std::vector<int64_t> place(target.boxes.size(), -1), wanted;
  std::vector<float> rois;
  for (size_t r = 0; r < regions.size(); ++r) {
    int64_t& at = place[static_cast<size_t>(objects[r])];
    if (at < 0) {
      at = static_cast<int64_t>(wanted.size());
      wanted.push_back(objects[r]);
    }
    const detection::Box& b = regions[r];
    for (const float v : {static_cast<float>(at), b.x1, b.y1, b.x2, b.y2}) rois.push_back(v);
  }
  const Tensor masks = unsqueeze(index_select(target.masks, 0, Tensor::from(wanted)), 3);
  const Tensor boxes = Tensor::from(rois, {static_cast<int64_t>(regions.size()), 5});
  return roi_align(masks.to(device).to(dtype), boxes.to(dtype).to(device),
                   {.height = size, .width = size, .sampling_ratio = 0});
}

/// Mean binary cross-entropy over the pixels of the positive regions' masks, on the channel of
/// their class.
/// @param logits   [P, m, m, classes] of `positive`: places in `samples`, image by image
inline Tensor mask_loss(const Tensor& logits, const std::vector<size_t>& positive,
                        const RegionSamples& samples, const std::vector<Target>& targets) {
  std::vector<int64_t> labels;
  Tensors wanted;
  for (size_t p = 0; p < positive.size();) {
    const int64_t image = samples.regions.images[positive[p]];
    std::vector<detection::Box> boxes;
    std::vector<int64_t> objects;
    for (; p < positive.size() && samples.regions.images[positive[p]] == image; ++p) {
      boxes.push_back(samples.regions.boxes[positive[p]]);
      objects.push_back(samples.objects[positive[p]]);
      labels.push_back(samples.labels[positive[p]]);
    }
    wanted.push_back(mask_targets(targets[static_cast<size_t>(image)], boxes, objects,
                                  logits.size(1), logits.dtype(), logits.device()));
  }
  const Tensor x = masks_of_labels(logits, labels);
  return losses::binary_cross_entropy_sum(x, concat(wanted, 0)) *
         (1 / static_cast<double>(x.numel()));
}

}  // namespace cytograd::models
