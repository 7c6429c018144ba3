#include "cytograd/train/detector.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cytograd/io/cell_feature_file.h"
#include "cytograd/train/cell_features.h"
#include "detection/small_detector.h"
#include "support/temp_folder.h"

using namespace cytograd;
using detection::FoundObject;
using detection::MaskPiece;

namespace {

MaskPiece block(int64_t x, int64_t y, int64_t side) {
  return {x, y, side, side, std::vector<uint8_t>(static_cast<size_t>(side * side), 1)};
}

// A cell with a mask and one that has a box alone.
Field two_cells() {
  Field out;
  out.height = 60;
  out.width = 80;
  const MaskPiece mask = block(10, 10, 20);
  out.objects = {{0, detection::bounds(mask), mask, false}, {0, {40, 30, 60, 50}, {}, false}};
  return out;
}

FoundObject found(const MaskPiece& mask, float score, int64_t label = 1) {
  return {label, score, detection::bounds(mask), mask, false};
}

TrainConfig detector_config() {
  ResolvedConfig resolved;
  apply_detector_defaults(resolved);
  return resolved.config;
}

}  // namespace

TEST_CASE("scores of a detector: objects without a mask are neutral where masks count") {
  DetectorScorer scorer(true);
  scorer.add(two_cells(), {found(block(10, 10, 20), 0.9f), found(block(40, 30, 20), 0.8f)});
  const DetectorScores scores = scorer.scores();
  CHECK(scores.fields == 1);
  CHECK(scores.objects == 2);
  CHECK(scores.masks == 1);
  CHECK(scores.box.all.ap == doctest::Approx(1));
  REQUIRE(scores.mask);
  CHECK(scores.mask->all.ap == doctest::Approx(1));
  CHECK(scores.mean_iou == doctest::Approx(1));
  const auto json = nlohmann::json::parse(detector_json(scores, {"WBC", "a \"b\""}, "test"));
  CHECK(json["box"]["AP50"].get<double>() == doctest::Approx(1));
  CHECK(json["mask"]["AP"].get<double>() == doctest::Approx(1));
  CHECK(json["per_class"]["WBC"]["box"]["AP"].get<double>() == doctest::Approx(1));
  CHECK(json["per_class"]["a \"b\""]["box"]["AP"].is_null());
  CHECK(detector_text(scores, {"WBC", "x"}, "test").find("n/a") != std::string::npos);
}

TEST_CASE("scores of a detector: misses and doubtful finds") {
  DetectorScorer scorer(true);
  scorer.add(two_cells(), {found(block(10, 10, 20), 0.4f), found(block(10, 10, 20), 0.9f, 2)});
  const DetectorScores scores = scorer.scores();
  CHECK(scores.mean_iou == 0);  // the score is too low, and then the class is another
  CHECK(scores.box.all.ap < 0.6);
  DetectorScorer boxes(false);
  boxes.add(two_cells(), {});
  CHECK(!boxes.scores().mask);
  CHECK(boxes.scores().box.all.ap == 0);
}

TEST_CASE("targets leave groups out and count classes from 1") {
  FieldView view{Image(60, 80, 3), two_cells().objects};
  view.objects.push_back({1, {0, 0, 30, 30}, {}, true});
  const models::Target target = target_of(view, "a");
  CHECK(target.labels == std::vector<int64_t>{1, 1});
  CHECK(target.has_mask == std::vector<uint8_t>{1, 0});
  REQUIRE(target.masks.shape() == Shape{2, 60, 80});
  double pixels = 0;
  for (const double v : target.masks.to_vector<double>()) pixels += v;
  CHECK(pixels == 400);
  view.objects.erase(view.objects.begin());
  CHECK(!target_of(view, "a").masks.defined());
}

TEST_CASE("settings of detectors") {
  TrainConfig config = detector_config();
  CHECK_NOTHROW(check_detector_config(config));
  CHECK_THROWS_AS(check_config(config), ConfigError);
  CHECK_THROWS_AS(check_detector_config(TrainConfig{}), ConfigError);
  config.max_size = config.min_size;
  config.scale_jitter = 0.1;
  CHECK_THROWS_AS(check_detector_config(config), ConfigError);
  config.max_size = 640;
  config.smallest_anchor = 16;
  config.freeze = 1;
  const models::MaskRcnnOptions options = detector_options(config, 3);
  CHECK(options.classes == 4);
  CHECK(options.input.min_size == std::vector<int64_t>{288, 304, 336, 352, 320});
  CHECK(options.rpn.anchors.sizes[4][0] == 256);
  CHECK(options.trainable_layers == 3);
  config.freeze = 5;
  CHECK_THROWS_AS(check_detector_config(config), ConfigError);
}

TEST_CASE("tiles keep the scale of training") {
  TrainedDetector trained;
  trained.field_side = 480;
  CHECK(tiles_for(trained, 480, 640, 0).side == 0);
  CHECK(tiles_for(trained, 720, 2000, 0).side == 0);
  CHECK(tiles_for(trained, 721, 2000, 0).side == 480);
  CHECK(tiles_for(trained, 4000, 4000, -1).side == 0);
  CHECK(tiles_for(trained, 100, 100, 64).side == 64);
}

TEST_CASE("a crop without a cell is described as such") {
  models::MaskRcnn model(test::small_detector());
  model.eval();
  Image image(64, 72, 3);
  Rng rng(4, "crop");
  for (uint8_t& v : image.pixels) v = static_cast<uint8_t>(rng.below(256));
  CellFeatureOptions wanted;
  wanted.score = 2;  // nothing is that certain
  wanted.target = 32;
  const CellFeatures cell = describe_cell(model, image, wanted, "crop");
  CHECK(cell.undetected);
  CHECK(cell.box == detection::Box{9, 8, 63, 56});
  CHECK(cell.h.size() == 14 * 14 * 16);
  const auto ends = std::minmax_element(cell.h.begin(), cell.h.end());
  CHECK(*ends.first == doctest::Approx(-1));
  CHECK(*ends.second == doctest::Approx(1));
  for (const float v : cell.mask) CHECK(v == doctest::Approx(1));
  CHECK(cell.crop.size() == 32 * 32 * 3);
  const CellFeatures again = describe_cell(model, image, wanted, "crop");
  CHECK(again.h == cell.h);
  CHECK(again.crop == cell.crop);
  wanted.level = 4;
  CHECK_THROWS_AS(describe_cell(model, image, wanted, "crop"), ValueError);
}

TEST_CASE("crops about cells stay inside the field") {
  const Image field(100, 300, 3);
  detection::Box box{280, 90, 296, 98};
  const Image crop = crop_about(field, 120, box);
  CHECK(crop.height == 100);
  CHECK(crop.width == 120);
  CHECK(box == detection::Box{100, 90, 116, 98});
}

TEST_CASE("a file of features needs every row that was announced") {
  const TempFolder folder;
  const std::vector<float> h(2 * 2 * 3, 0.5f), mask(16, 1), crop(48, 0);
  CellFeatureLayout layout;
  layout.count = 2;
  layout.cells = 2;
  layout.channels = 3;
  layout.target = 4;
  layout.half = true;
  CellFeatureRow row;
  row.h = &h;
  row.mask = &mask;
  row.crop = &crop;
  row.name = "a";
  {
    CellFeatureWriter writer(folder / "cells.h5", layout);
    writer.add(row);
    CHECK_THROWS_AS(writer.commit(), ValueError);
  }
  CHECK(folder.count() == 0);
  CellFeatureWriter writer(folder / "cells.h5", layout);
  writer.add(row);
  row.mask = &h;
  CHECK_THROWS_AS(writer.add(row), ValueError);
  row.mask = &mask;
  writer.add(row);
  CHECK_THROWS_AS(writer.add(row), ValueError);
  writer.commit();
  CHECK(folder.count() == 1);
  CHECK_THROWS_AS(CellFeatureWriter(folder / "none/cells.h5", layout), FileError);
}
