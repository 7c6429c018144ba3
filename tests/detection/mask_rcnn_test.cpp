#include "cytograd/models/mask_rcnn/mask_rcnn.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cytograd/optim/sgd.h"
#include "detection/small_detector.h"

using namespace cytograd;
using namespace cytograd::test;
using detection::Box;
using models::Target;

namespace {

const float unknown_value = std::numeric_limits<float>::quiet_NaN();

std::vector<double> values(const models::DetectionLosses& losses) {
  std::vector<double> out;
  for (const auto& [name, loss] : losses.named()) out.push_back(loss.item());
  return out;
}

bool all_finite(const models::DetectionLosses& losses) {
  for (const double v : values(losses))
    if (!std::isfinite(v)) return false;
  return true;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("detection is the same for one image, a batch and any order") {
  const models::MaskRcnn model(small_detector());
  const Tensor a = noise(64, 64, 3, 1), b = noise(64, 64, 3, 2);
  const auto alone = model.detect({a}), both = model.detect({a, b}), turned = model.detect({b, a});
  REQUIRE(alone[0].size() > 0);
  CHECK(alone[0].masks.shape() == Shape{static_cast<int64_t>(alone[0].size()), 28, 28});
  check_same(alone[0], both[0]);
  check_same(both[0], turned[1]);
  check_same(both[1], turned[0]);
  for (size_t i = 0; i < alone[0].size(); ++i) {
    const Box& box = alone[0].boxes[i];
    CHECK((box.x1 >= 0 && box.y1 >= 0 && box.x2 <= 64 && box.y2 <= 64));
    CHECK(alone[0].scores[i] > 0.05f);
    CHECK((i == 0 || alone[0].scores[i] <= alone[0].scores[i - 1]));
    for (const float v : alone[0].mask(i).values) CHECK((v >= 0 && v <= 1));
  }
}

TEST_CASE("detections of odd and tiny images") {
  const models::MaskRcnn model(small_detector());
  for (const auto& size : {Pair(5, 3), Pair(1, 1), Pair(97, 131), Pair(200, 7)}) {
    const auto found = model.detect({noise(size.h, size.w)});
    CHECK(found[0].height == size.h);
    CHECK(found[0].width == size.w);
    for (const Box& box : found[0].boxes) {
      CHECK(box.x2 <= static_cast<float>(size.w) * 1.0001f);
      CHECK(box.y2 <= static_cast<float>(size.h) * 1.0001f);
    }
  }
  models::MaskRcnnOptions options = small_detector();
  options.input.min_size = {16};
  options.input.max_size = 16;
  CHECK(models::MaskRcnn(options).detect({noise(16, 16)})[0].height == 16);  // padded to 32 x 32
}

TEST_CASE("no proposals and no detections") {
  models::MaskRcnnOptions options = small_detector();
  options.roi.score_threshold = 1;
  const auto none = models::MaskRcnn(options).detect({noise(64, 64)});
  CHECK(none[0].size() == 0);
  CHECK(none[0].masks.shape() == Shape{0, 28, 28});
  options.rpn.score_threshold = 2;
  const models::MaskRcnn model(options);
  CHECK(model.detect({noise(64, 64), noise(30, 80)})[1].size() == 0);
  CHECK(all_finite(model.losses({noise(64, 64)}, {two_cells()}, {})));  // the objects themselves
  CHECK(all_finite(model.losses({noise(64, 64)}, {Target{}}, {})));     // nothing to classify
}

TEST_CASE("images without objects") {
  const models::MaskRcnn model(small_detector());
  const auto one = model.losses({noise(64, 64)}, {Target{}}, {});
  CHECK(all_finite(one));
  CHECK(one.box_reg.item() == 0);
  CHECK(one.mask.item() == 0);
  CHECK(one.rpn_box_reg.item() == 0);
  CHECK(one.classifier.item() > 0);
  one.total().backward();
  const auto mixed =
      model.losses({noise(64, 64, 3, 1), noise(64, 64, 3, 2)}, {Target{}, two_cells()}, {});
  CHECK(all_finite(mixed));
  CHECK(mixed.mask.item() > 0);
  mixed.total().backward();
  for (const auto& [name, parameter] : model.named_parameters())
    if (parameter.grad().defined()) CHECK(std::isfinite(sum(parameter.grad() * 0.0).item()));
}

TEST_CASE("objects with empty masks, without masks, and partly outside") {
  const models::MaskRcnn model(small_detector());
  Target target = two_cells();
  target.masks.fill_(0);
  const auto empty = model.losses({noise(64, 64)}, {target}, {});
  CHECK(all_finite(empty));
  CHECK(empty.mask.item() > 0);
  target.has_mask = {0, 0};
  CHECK(model.losses({noise(64, 64)}, {target}, {}).mask.item() == 0);
  target.has_mask = {1, 0};
  CHECK(model.losses({noise(64, 64)}, {target}, {}).mask.item() > 0);
  target.masks = {};
  target.has_mask = {};
  const auto boxes = model.losses({noise(64, 64)}, {target}, {});
  CHECK(boxes.mask.item() == 0);
  CHECK(boxes.box_reg.item() > 0);
  target.boxes[0] = {-20, -5, 30, 90};
  CHECK(all_finite(model.losses({noise(64, 64)}, {target}, {})));
}

TEST_CASE("the order of an image's objects does not matter") {
  models::MaskRcnnOptions options = small_detector();
  options.rpn.samples = options.roi.samples = 1000000;
  const models::MaskRcnn model(options);
  const std::vector<Box> boxes{{8, 10, 30, 34}, {35, 20, 60, 52}, {2, 40, 20, 61}};
  const std::vector<double> a =
      values(model.losses({noise(64, 64)}, {rectangles(64, 64, boxes)}, {}));
  const std::vector<double> b = values(
      model.losses({noise(64, 64)}, {rectangles(64, 64, {boxes[2], boxes[0], boxes[1]})}, {}));
  for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
}

TEST_CASE("the same step draws the same regions") {
  models::MaskRcnnOptions options = small_detector();
  options.rpn.samples = 8;
  options.roi.samples = 8;
  const models::MaskRcnn model(options);
  const auto at = [&](uint64_t step) {
    return values(model.losses({noise(64, 64)}, {two_cells()}, {.seed = 1, .step = step}));
  };
  CHECK(at(5) == at(5));
  CHECK(at(5) != at(6));
}

TEST_CASE("targets that cannot be used are refused") {
  const models::MaskRcnn model(small_detector());
  const auto message = [&](const Target& target) {
    return message_of([&] { model.losses({noise(64, 64)}, {target}, {}); });
  };
  for (const Box& bad : {Box{10, 10, 10, 20}, Box{10, 20, 15, 12}, Box{unknown_value, 0, 5, 5},
                         Box{0, 0, 5, std::numeric_limits<float>::infinity()}}) {
    Target target = two_cells();
    target.boxes[1] = bad;
    const std::string text = message(target);
    CAPTURE(text);
    CHECK(text.find("cells.png") != std::string::npos);
    CHECK(text.find("object 1") != std::string::npos);
    CHECK(text.find("box.degenerate") != std::string::npos);
  }
  Target target = two_cells();
  target.labels = {1};
  CHECK(message(target).find("a label for each") != std::string::npos);
  target.labels = {1, 2};
  CHECK(message(target).find("label 2 of object 1 is not in 1..1") != std::string::npos);
  target = two_cells();
  target.masks = Tensor::zeros({2, 32, 64}, Dtype::uint8);
  CHECK(message(target).find("mask.size") != std::string::npos);
  CHECK_THROWS_AS(model.losses({noise(64, 64)}, {}, {}), ValueError);
}

TEST_CASE("images that cannot be used are refused") {
  const models::MaskRcnn model(small_detector());
  const Tensor bad = noise(20, 20);
  bad.data<float>()[77] = unknown_value;
  const std::string text = message_of([&] { model.detect({noise(64, 64), bad}, {"a", "b.png"}); });
  CAPTURE(text);
  CHECK(text.find("image 1 (b.png)") != std::string::npos);
  CHECK(text.find("not finite") != std::string::npos);
  bad.data<float>()[77] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(model.detect({bad}), DataError);
  CHECK_THROWS_AS(model.detect({noise(20, 20, 2)}), ShapeError);
  CHECK_THROWS_AS(model.detect({Tensor::zeros({20, 20})}), ShapeError);
  CHECK_THROWS_AS(model.detect({Tensor::zeros({0, 20, 3})}), ShapeError);
  CHECK_THROWS_AS(model.detect({Tensor::zeros({20, 20, 3}, Dtype::uint8)}), DtypeError);
  CHECK_THROWS_AS(model.detect({}), ValueError);
}

TEST_CASE("grey images are three equal channels, alpha is left out") {
  const models::MaskRcnn model(small_detector());
  const Tensor grey = noise(64, 64, 1), colour = noise(64, 64, 3);
  check_same(model.detect({grey})[0], model.detect({concat({grey, grey, grey}, 2)})[0]);
  check_same(model.detect({colour})[0], model.detect({concat({colour, grey}, 2)})[0]);
}

TEST_CASE("values that are not finite inside the network") {
  const models::MaskRcnn model(small_detector());
  for (const auto& [name, parameter] : model.named_parameters())
    if (name == "roi_heads.box_predictor.cls_score.bias") parameter.detach().fill_(unknown_value);
  const auto found = model.detect({noise(64, 64)});
  CHECK(found[0].size() == 0);
  CHECK(found[0].not_finite > 0);
  const auto losses = model.losses({noise(64, 64)}, {two_cells()}, {});
  const std::string text = message_of([&] { losses.check_finite({two_cells()}); });
  CHECK(text == "mask_rcnn: not finite: loss_classifier in image 0 (cells.png)");
  CHECK_THROWS_AS(losses.check_finite({two_cells()}), DivergedError);

  const models::MaskRcnn other(small_detector());
  for (const auto& [name, parameter] : other.named_parameters())
    if (name == "rpn.head.bbox_pred.bias") parameter.detach().fill_(unknown_value);
  CHECK(other.detect({noise(64, 64)})[0].not_finite > 0);
}

TEST_CASE("options that make no detector are refused") {
  const auto refuses = [](auto change) {
    models::MaskRcnnOptions options = small_detector();
    options.initialize = false;
    change(options);
    CHECK_THROWS_AS(models::MaskRcnn{options}, ValueError);
  };
  refuses([](auto& o) { o.classes = 1; });
  refuses([](auto& o) { o.input.min_size = {}; });
  refuses([](auto& o) { o.input.min_size = {200}; });
  refuses([](auto& o) { o.trainable_layers = 6; });
  refuses([](auto& o) { o.rpn.anchors.sizes = {{8}, {16}}; });
  refuses([](auto& o) { o.rpn.anchors.sizes[2] = {8, 16}; });
}

TEST_CASE("Faster R-CNN is the model without masks") {
  models::MaskRcnnOptions options = small_detector();
  options.masks = false;
  const models::MaskRcnn model(options);
  for (const auto& entry : model.state_dict()) CHECK(entry.first.find("mask") == std::string::npos);
  const auto found = model.detect({noise(64, 64)});
  CHECK_FALSE(found[0].masks.defined());
  CHECK(found[0].size() > 0);
  CHECK_THROWS_AS(found[0].mask(0), StateError);
  CHECK(model.losses({noise(64, 64)}, {two_cells()}, {}).named().size() == 4);
}

TEST_CASE("features of given boxes") {
  const models::MaskRcnn model(small_detector());
  const Tensor image = noise(64, 64);
  const auto found = model.detect({image});
  const Tensor features = model.region_features({image, image}, {{found[0].boxes[0]}, {}});
  CHECK(features.shape() == Shape{1, 14, 14, 16});
  CHECK(model.region_features({image}, {{}}).shape() == Shape{0, 14, 14, 16});
}

TEST_CASE("a few steps on one image lower the loss") {
  models::MaskRcnnOptions options = small_detector();
  options.frozen_norm = false;
  const models::MaskRcnn model(options);
  optim::Sgd optimizer(model.named_parameters(), {.lr = 0.005, .momentum = 0.9});
  std::vector<double> totals;
  for (uint64_t step = 0; step < 12; ++step) {
    model.zero_grad();
    const auto losses = model.losses({noise(64, 64)}, {two_cells()}, {.seed = 2, .step = step});
    losses.check_finite({two_cells()});
    const Tensor total = losses.total();
    totals.push_back(total.item());
    total.backward();
    optimizer.step();
  }
  CAPTURE(totals.front());
  CAPTURE(totals.back());
  CHECK(totals.back() < 0.8 * totals.front());
}
