#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "bench/support/counted_detector.h"
#include "cytograd/optim/clip.h"
#include "detection/mask_rcnn_expected.h"

using namespace cytograd;
using bench::ellipse_masks;
using detection::Box;

/// @file
/// Mask R-CNN against torchvision's, weights and images filled by a counter that
/// tests/reference/mask_rcnn_parity.py repeats.

namespace {

void check_near(double actual, double expected, double tolerance) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= tolerance));
}

// Values within 1e-4 of the rms; the mean likewise.
void check_stats(const char* what, const Tensor& x, const Stats& expected) {
  CAPTURE(what);
  const std::vector<double> values = x.to_vector<double>();
  double sum = 0, squares = 0;
  for (const double v : values) sum += v, squares += v * v;
  const auto n = static_cast<double>(values.size());
  const double tolerance = 1e-4 * expected.rms;
  check_near(sum / n, expected.mean, tolerance);
  check_near(std::sqrt(squares / n), expected.rms, tolerance);
  check_near(values.front(), expected.first, tolerance);
  check_near(values.back(), expected.last, tolerance);
}

void check_values(const std::vector<double>& actual, const std::vector<double>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) check_near(actual[i], expected[i], 1e-4);
}

models::MaskRcnnOptions unlimited(models::MaskRcnnOptions options) {
  options.initialize = false;
  options.rpn.samples = options.roi.samples = 1000000;
  options.roi.positive_fraction = 0.5;
  return options;
}

void check_losses(const models::MaskRcnn& model, const std::vector<Tensor>& images,
                  const std::vector<models::Target>& targets, const Expected& expected) {
  const models::DetectionLosses losses = model.losses(images, targets, {});
  const auto named = losses.named();
  REQUIRE(named.size() == 5);
  for (size_t i = 0; i < named.size(); ++i) {
    CAPTURE(named[i].first);
    check_near(named[i].second.item(), expected.losses[i], 1e-4 * std::max(1., expected.losses[i]));
  }
  losses.check_finite(targets);
  losses.total().backward();
  std::map<std::string, Tensor> parameters;
  for (const auto& [name, tensor] : model.named_parameters()) parameters.emplace(name, tensor);
  for (const auto& [name, norm] : expected.gradients) {
    const std::string parameter = name;
    CAPTURE(parameter);
    check_near(optim::grad_norm({{parameter, parameters.at(parameter)}}), norm, 1e-3 * norm);
  }
  check_near(optim::grad_norm(model.named_parameters()), expected.gradient,
             1e-3 * expected.gradient);
  model.zero_grad();
}

void check_detections(const models::MaskRcnn& model, const std::vector<Tensor>& images,
                      const Expected& expected) {
  const std::vector<models::Detections> found = model.detect(images);
  REQUIRE(found.size() == expected.found.size());
  for (size_t n = 0; n < found.size(); ++n) CHECK(found[n].size() == expected.found[n]);
  size_t place = 0, of_image = 0;
  for (const ExpectedDetection& want : expected.best) {
    place = want.image == of_image ? place : 0;
    of_image = want.image;
    const models::Detections& got = found[want.image];
    REQUIRE(got.size() > place);
    CHECK(got.labels[place] == want.label);
    check_near(got.scores[place], want.score, 1e-5);
    const Box& b = got.boxes[place];
    check_near(b.x1, want.box[0], 1e-2);
    check_near(b.y1, want.box[1], 1e-2);
    check_near(b.x2, want.box[2], 1e-2);
    check_near(b.y2, want.box[3], 1e-2);
    const detection::PastedMask mask = got.mask(place);
    double sum = 0;
    for (const float v : mask.values) sum += v;
    CHECK(std::count_if(mask.values.begin(), mask.values.end(),
                        [](float v) { return v >= 0.5f; }) == want.pixels);
    check_near(sum, want.sum, 1e-3 * want.sum);
    ++place;
  }
}

}  // namespace

TEST_CASE("Mask R-CNN with ResNet-50 equals torchvision's, part by part") {
  models::MaskRcnnOptions options;
  options.input.min_size = {128};
  options.input.max_size = 256;
  models::MaskRcnn model(unlimited(options));
  CHECK(model.state_dict().size() == 307);
  CHECK(model.parameter_count() == 43922395);
  CHECK(bench::counted_values(0, 3)[2] == doctest::Approx(0.591190).epsilon(1e-5));
  CHECK(bench::counted_values(1000000, 1)[0] == doctest::Approx(0.951946).epsilon(1e-5));
  bench::fill_counted(model);
  const std::vector<Tensor> images{bench::counted_image(0, 128, 160)};
  const Expected& expected = resnet50_expected;
  {
    const NoGrad no_grad;
    const models::ImageBatch batch =
        models::batch_images(images, {128}, options.input, {}, Dtype::float32, {});
    CHECK(batch.sizes[0] == Pair(128, 160));
    const std::array<Tensor, 4> stages = model.backbone().body().stages(batch.pixels);
    const std::vector<Tensor> levels = model.backbone().forward(batch.pixels);
    const models::RpnOutput rpn = model.rpn().head().forward(levels);
    models::Regions regions;
    for (const Box& box : {Box{20, 16, 120, 112}, Box{4.5f, 3.25f, 40, 37.5f},
                           Box{-10, 60, 150, 140}, Box{70, 70, 70, 70}})
      regions.add(box, 0);
    const Tensor pooled = models::pool_regions(levels, regions, 7);
    const Tensor tensors[] = {
        batch.pixels,      stages[0],     stages[3],         levels[0],     levels[2], levels[4],
        rpn.objectness[0], rpn.deltas[0], rpn.objectness[4], rpn.deltas[4], pooled};
    const char* names[] = {"input",        "C2",       "C5",           "P 0",
                           "P 2",          "P pool",   "objectness 0", "deltas 0",
                           "objectness 4", "deltas 4", "pooled"};
    REQUIRE(expected.features.size() == std::size(tensors));
    for (size_t i = 0; i < std::size(tensors); ++i)
      check_stats(names[i], tensors[i], expected.features[i]);

    const models::RoiHeads& heads = model.roi_heads();
    const models::BoxOutput boxes = heads.box_predictor.forward(heads.box_head.forward(pooled));
    check_values(boxes.logits.to_vector<double>(), expected.logits);
    check_values(slice(boxes.deltas, 1, 4, 8).to_vector<double>(), expected.deltas);
    const Tensor h = models::pool_regions(levels, regions, 14);
    const Tensor masks = heads.mask_predictor->forward(heads.mask_head->forward(h));
    CHECK(masks.shape() == Shape{4, 28, 28, 2});
    for (int64_t r = 0; r < 4; ++r) {
      check_stats("h", slice(h, 0, r, r + 1), expected.pooled[static_cast<size_t>(r)]);
      check_stats("mask", slice(masks, 0, r, r + 1), expected.masks[static_cast<size_t>(r)]);
    }
    const auto proposals = model.rpn().propose(rpn, model.rpn().anchors(rpn, batch.padded()), batch,
                                               model.rpn().limits(false));
    CHECK(proposals[0].boxes.size() == expected.proposals);
  }
  check_detections(model, images, expected);
  const models::Target target{{{30, 20, 111, 101}, {101, 44, 150, 117}},
                              {1, 1},
                              ellipse_masks(128, 160, {{60, 70, 40, 40}, {80, 125, 36, 24}}),
                              {},
                              "one"};
  check_losses(model, images, {target}, expected);
}

TEST_CASE("Mask R-CNN with ResNet-18 equals torchvision's on a batch of odd sizes") {
  models::MaskRcnnOptions options;
  options.backbone = models::resnet18;
  options.classes = 3;
  options.input.min_size = {128};
  options.input.max_size = 200;
  models::MaskRcnn model(unlimited(options));
  bench::fill_counted(model);
  const std::vector<Tensor> images{bench::counted_image(0, 97, 131),
                                   bench::counted_image(1, 150, 64)};
  const models::Target objects{{{11, 9, 62, 71}, {60, 30, 110, 83}},
                               {1, 2},
                               ellipse_masks(97, 131, {{40, 36, 31, 25}, {56, 85, 26, 25}}),
                               {},
                               "objects"};
  models::Target nothing;
  nothing.name = "nothing";
  check_losses(model, images, {objects, nothing}, resnet18_expected);
  check_detections(model, images, resnet18_expected);
}
