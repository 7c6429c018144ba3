#pragma once

#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/models/mask_rcnn/backbone.h"
#include "cytograd/models/mask_rcnn/mask_head.h"

/// @file
/// Mask R-CNN (He, Gkioxari, Dollar, Girshick, 2017) with a residual network and a feature pyramid;
/// without masks Faster R-CNN. Names, numbers and losses as torchvision's maskrcnn_resnet50_fpn,
/// whose state dicts load by name (models/mask_rcnn/weights.h).

namespace cytograd::models {

/// The losses of a step; they are added with weight 1. `mask` is 0 without a mask to learn from.
struct DetectionLosses {
  Tensor classifier, box_reg, mask, objectness, rpn_box_reg;

  /// With torchvision's names; without `loss_mask` for a model without masks.
  std::vector<std::pair<std::string, Tensor>> named() const {
    std::vector<std::pair<std::string, Tensor>> out{{"loss_classifier", classifier},
                                                    {"loss_box_reg", box_reg}};
    if (mask.defined()) out.emplace_back("loss_mask", mask);
    out.emplace_back("loss_objectness", objectness);
    out.emplace_back("loss_rpn_box_reg", rpn_box_reg);
    return out;
  }
  Tensor total() const {
    Tensor out;
    for (const auto& [name, loss] : named()) out = out.defined() ? out + loss : loss;
    return out;
  }
  /// @throws DivergedError naming the losses that are not finite and the images of the step
  void check_finite(const std::vector<Target>& targets) const {
    std::string bad;
    for (const auto& [name, loss] : named())
      if (!std::isfinite(loss.item())) bad += (bad.empty() ? "" : ", ") + name;
    if (bad.empty()) return;
    for (size_t n = 0; n < targets.size(); ++n)
      bad += (n == 0 ? " in " : ", ") + detail::image_name(n, targets[n].name);
    throw DivergedError("mask_rcnn: not finite: " + bad);
  }
};

/// What was found in one image, in order of falling score.
struct Detections {
  int64_t height = 0, width = 0;        ///< of the image as given
  std::vector<detection::Box> boxes;    ///< in its pixels
  std::vector<int64_t> labels;          ///< 1..classes-1
  std::vector<float> scores;            ///< above RoiOptions::score_threshold
  Tensor masks;                         ///< [D, m, m] probabilities over the boxes, float32, host;
                                        ///< undefined for a model without masks
  std::vector<detection::Box> regions;  ///< the boxes in the network's pixels
  int64_t not_finite = 0;               ///< candidates left out because of NaN or infinity
  size_t size() const { return boxes.size(); }

  /// The soft mask of detection i in the image (detection/masks.h): 100 whole masks of a large
  /// image would not fit anywhere. @throws StateError without masks, ValueError for another i
  detection::PastedMask mask(size_t i) const {
    check<StateError>(masks.defined(), "detections", "the model has no mask branch");
    check<ValueError>(i < size(), "detections", "expects a number below ", size(), ", got ", i);
    const int64_t side = masks.size(1);
    const auto area = static_cast<size_t>(side * side);
    return detection::paste_mask({masks.data<float>() + i * area, area}, side, boxes[i], height,
                                 width);
  }
};

/// The heads' modules, under torchvision's names.
class RoiHeads : public nn::Module {
 public:
  explicit RoiHeads(const MaskRcnnOptions& options)
      : box_head(add<BoxHead>("box_head", options.channels, options.roi)),
        box_predictor(add<BoxPredictor>("box_predictor", options.roi.hidden, options.classes)),
        mask_head(options.masks ? &add<MaskHead>("mask_head", options.channels) : nullptr),
        mask_predictor(
            options.masks ? &add<MaskPredictor>("mask_predictor", options.channels, options.classes)
                          : nullptr) {}

  BoxHead& box_head;
  BoxPredictor& box_predictor;
  MaskHead* mask_head;  ///< null without masks
  MaskPredictor* mask_predictor;
};

class MaskRcnn : public nn::Module {
 public:
  /// @throws ValueError for classes < 2 (the background and at least one), no min_size, and as the
  /// parts do
  explicit MaskRcnn(const MaskRcnnOptions& options = {})
      : options_(checked(options)),
        backbone_(add<PyramidBackbone>("backbone", options)),
        rpn_(add<RegionProposals>("rpn", options)),
        roi_heads_(add<RoiHeads>("roi_heads", options)) {
    if (options.initialize) initialize(options.seed);
  }

  const MaskRcnnOptions& options() const { return options_; }
  PyramidBackbone& backbone() { return backbone_; }
  const PyramidBackbone& backbone() const { return backbone_; }
  const RegionProposals& rpn() const { return rpn_; }
  const RoiHeads& roi_heads() const { return roi_heads_; }

  /// The losses of a training step.
  /// @param images   [H, W, C] in 0..1 (batch_images)   @param targets  one per image
  /// @throws as batch_images and resize_target, before anything is computed by the network
  DetectionLosses losses(const std::vector<Tensor>& images, const std::vector<Target>& targets,
                         const TrainStep& step) const {
    check<ValueError>(images.size() == targets.size(), "mask_rcnn", "expects a target for each of ",
                      images.size(), " images, got ", targets.size());
    std::vector<std::string> names;
    for (const Target& target : targets) names.push_back(target.name);
    const ImageBatch batch =
        batch_images(images, choose_min_sizes(images.size(), options_.input, &step), options_.input,
                     names, dtype(), device());
    std::vector<Target> resized;
    for (size_t n = 0; n < targets.size(); ++n)
      resized.push_back(
          resize_target(targets[n], batch.originals[n], batch.sizes[n], options_.classes, n));
    return losses_of_batch(batch, resized, step);
  }

  /// What is in the images. No gradient; put the model into evaluation mode if its normalisation is
  /// not frozen. @param names  of the images, for messages; may be empty   @throws as batch_images
  std::vector<Detections> detect(const std::vector<Tensor>& images,
                                 const std::vector<std::string>& names = {}) const {
    const NoGrad no_grad;
    const ImageBatch batch =
        batch_images(images, choose_min_sizes(images.size(), options_.input, nullptr),
                     options_.input, names, dtype(), device());
    const std::vector<Tensor> levels = backbone_.forward(batch.pixels);
    const std::vector<Proposals> proposals = first_stage(levels, batch, false).proposals;
    Regions regions;
    for (size_t n = 0; n < proposals.size(); ++n)
      for (const detection::Box& box : proposals[n].boxes) regions.add(box, n);
    std::vector<FoundBoxes> found =
        find_boxes(boxes_of_regions(levels, regions), regions, batch.sizes, options_.roi);
    for (size_t n = 0; n < found.size(); ++n) found[n].not_finite += proposals[n].not_finite;
    return detections(levels, batch, found);
  }

  /// Features of the mask branch for given boxes: what enters its first convolution (for
  /// `cyto segment features`; spec: 14 x 14 cells, 256 channels).
  /// @param boxes  per image, in its pixels   @param fixed_level  as pool_regions
  /// @return [M, s, s, C], the boxes of all images in order
  Tensor region_features(const std::vector<Tensor>& images,
                         const std::vector<std::vector<detection::Box>>& boxes,
                         int fixed_level = -1) const {
    check<ValueError>(images.size() == boxes.size(), "mask_rcnn", "expects boxes for each of ",
                      images.size(), " images, got ", boxes.size());
    const NoGrad no_grad;
    const ImageBatch batch =
        batch_images(images, choose_min_sizes(images.size(), options_.input, nullptr),
                     options_.input, {}, dtype(), device());
    Regions regions;
    for (size_t n = 0; n < boxes.size(); ++n)
      for (const detection::Box& box : boxes[n])
        regions.add(to_network(box, batch.originals[n], batch.sizes[n]), n);
    return pool_regions(backbone_.forward(batch.pixels), regions, options_.roi.mask_size,
                        fixed_level);
  }

  /// The same losses for a batch that is ready, targets in its pixels.
  DetectionLosses losses_of_batch(const ImageBatch& batch, const std::vector<Target>& targets,
                                  const TrainStep& step) const {
    const std::vector<Tensor> levels = backbone_.forward(batch.pixels);
    const FirstStage stage = first_stage(levels, batch, true);
    const RpnLosses first = rpn_.losses(stage.output, stage.anchors, targets, step);
    const RegionSamples samples = sample_regions(stage.proposals, targets, options_.roi, step);
    const BoxLosses second =
        box_losses(boxes_of_regions(levels, samples.regions), samples, targets);
    DetectionLosses out{second.classifier, second.box_reg, {}, first.objectness, first.box_reg};
    if (options_.masks) out.mask = loss_of_masks(levels, samples, targets);
    return out;
  }

 private:
  static const MaskRcnnOptions& checked(const MaskRcnnOptions& options) {
    check<ValueError>(options.classes >= 2, "mask_rcnn",
                      "classes expects >= 2, background included, got ", options.classes);
    check<ValueError>(!options.input.min_size.empty(), "mask_rcnn", "min_size expects a value");
    for (const int64_t side : options.input.min_size)
      check<ValueError>(side >= 1 && options.input.max_size >= side, "mask_rcnn",
                        "expects 1 <= min_size <= max_size, got ", side, " and ",
                        options.input.max_size);
    check<ValueError>(options.input.multiple >= 32 && options.input.multiple % 32 == 0, "mask_rcnn",
                      "multiple expects 32, 64, .., got ", options.input.multiple);
    return options;
  }
  Dtype dtype() const { return roi_heads_.box_head.dtype(); }
  Device device() const { return roi_heads_.box_head.device(); }

  static detection::Box to_network(const detection::Box& box, Pair original, Pair size) {
    return detection::scaled(box, static_cast<float>(size.w) / static_cast<float>(original.w),
                             static_cast<float>(size.h) / static_cast<float>(original.h));
  }

  struct FirstStage {
    RpnOutput output;
    std::vector<std::vector<detection::Box>> anchors;
    std::vector<Proposals> proposals;
  };
  FirstStage first_stage(const std::vector<Tensor>& levels, const ImageBatch& batch,
                         bool training) const {
    FirstStage out;
    out.output = rpn_.head().forward(levels);
    out.anchors = rpn_.anchors(out.output, batch.padded());
    out.proposals = rpn_.propose(out.output, out.anchors, batch, rpn_.limits(training));
    return out;
  }

  BoxOutput boxes_of_regions(const std::vector<Tensor>& levels, const Regions& regions) const {
    const Tensor pooled = pool_regions(levels, regions, options_.roi.box_size);
    return roi_heads_.box_predictor.forward(roi_heads_.box_head.forward(pooled));
  }

  Tensor masks_of_regions(const std::vector<Tensor>& levels, const Regions& regions) const {
    const Tensor pooled = pool_regions(levels, regions, options_.roi.mask_size);
    return roi_heads_.mask_predictor->forward(roi_heads_.mask_head->forward(pooled));
  }

  Tensor loss_of_masks(const std::vector<Tensor>& levels, const RegionSamples& samples,
                       const std::vector<Target>& targets) const {
    Regions regions;
    std::vector<size_t> positive;
    for (size_t r = 0; r < samples.labels.size(); ++r) {
      if (samples.labels[r] <= 0) continue;
      const auto n = static_cast<size_t>(samples.regions.images[r]);
      if (!targets[n].masked(static_cast<size_t>(samples.objects[r]))) continue;
      positive.push_back(r);
      regions.add(samples.regions.boxes[r], n);
    }
    if (positive.empty()) return Tensor::zeros({}, dtype(), device());
    return mask_loss(masks_of_regions(levels, regions), positive, samples, targets);
  }

  std::vector<Detections> detections(const std::vector<Tensor>& levels, const ImageBatch& batch,
                                     std::vector<FoundBoxes>& found) const {
    std::vector<Detections> out(found.size());
    Regions regions;
    std::vector<int64_t> labels;
    for (size_t n = 0; n < found.size(); ++n) {
      for (const detection::Box& box : found[n].boxes) {
        regions.add(box, n);
        out[n].boxes.push_back(to_network(box, batch.sizes[n], batch.originals[n]));
      }
      labels.insert(labels.end(), found[n].labels.begin(), found[n].labels.end());
      out[n].height = batch.originals[n].h;
      out[n].width = batch.originals[n].w;
      out[n].labels = std::move(found[n].labels);
      out[n].scores = std::move(found[n].scores);
      out[n].regions = std::move(found[n].boxes);
      out[n].not_finite = found[n].not_finite;
    }
    if (options_.masks) add_masks(levels, regions, labels, out);
    return out;
  }

  void add_masks(const std::vector<Tensor>& levels, const Regions& regions,
                 const std::vector<int64_t>& labels, std::vector<Detections>& out) const {
    const int64_t side = 2 * options_.roi.mask_size;
    Tensor masks = Tensor::zeros({regions.size(), side, side});
    if (regions.size() > 0)
      masks = squeeze(sigmoid(masks_of_labels(masks_of_regions(levels, regions), labels)), 3)
                  .to(Device::cpu())
                  .to(Dtype::float32);
    int64_t begin = 0;
    for (Detections& image : out) {
      const int64_t end = begin + static_cast<int64_t>(image.size());
      image.masks = slice(masks, 0, begin, end).clone();
      begin = end;
    }
  }

  MaskRcnnOptions options_;
  PyramidBackbone& backbone_;
  RegionProposals& rpn_;
  RoiHeads& roi_heads_;
};

}  // namespace cytograd::models
