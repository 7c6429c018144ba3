#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cytograd/detection/coco_eval.h"

using namespace cytograd::detection;
using nlohmann::json;

/// @file
/// The evaluator beside pycocotools, by what tests/reference/coco_scores.py printed.

namespace {

json reference() {
  std::ifstream file(CYTOGRAD_SOURCE_DIR "/tests/reference/coco_scores.json");
  REQUIRE(file.good());
  return json::parse(file);
}

CocoBox box_of(const json& v) { return {v[0], v[1], v[2], v[3]}; }

// The union of rectangles x, y, width, height.
Rle mask_of(const json& parts, int64_t height, int64_t width) {
  std::vector<uint8_t> out(static_cast<size_t>(height * width), 0);
  for (const json& part : parts) {
    const int64_t x = part[0], y = part[1], w = part[2], h = part[3];
    for (int64_t i = y; i < y + h; ++i)
      for (int64_t j = x; j < x + w; ++j) out[static_cast<size_t>(i * width + j)] = 1;
  }
  return encode_mask(out, height, width);
}

std::vector<CocoImage> images_of(const json& list, int64_t height, int64_t width) {
  std::vector<CocoImage> out;
  for (const json& given : list) {
    CocoImage& image = out.emplace_back();
    for (const json& o : given["objects"])
      image.objects.push_back({o[0], box_of(o[2]), o[3], o[1] == 1, mask_of(o[4], height, width)});
    for (const json& r : given["results"])
      image.results.push_back({r[0], box_of(r[2]), r[1], mask_of(r[3], height, width)});
  }
  return out;
}

void check_scores(const CocoScores& s, const json& expected) {
  const std::array<double, 12> actual{s.ap,  s.ap50, s.ap75,  s.ap_small, s.ap_medium, s.ap_large,
                                      s.ar1, s.ar10, s.ar100, s.ar_small, s.ar_medium, s.ar_large};
  REQUIRE(expected.size() == actual.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CAPTURE(actual[i]);
    // Means of the same numbers in another order.
    CHECK_FALSE(!(std::abs(actual[i] - expected[i].get<double>()) <= 1e-12));
  }
}

}  // namespace

TEST_CASE("COCO scores are those of pycocotools, of boxes and masks, together and per class") {
  const json all = reference();
  int n = 0;
  for (const json& one : all["cases"]) {
    CAPTURE(n);
    const std::vector<CocoImage> images = images_of(one["images"], all["height"], all["width"]);
    for (const auto& [name, kind] :
         {std::pair("box", CocoKind::box), std::pair("mask", CocoKind::mask)}) {
      const std::string what = name;
      CAPTURE(what);
      const CocoReport report = evaluate_coco(images, kind);
      const json& expected = one[what];
      CHECK(report.categories.size() + 1 == expected.size());
      check_scores(report.all, expected["all"]);
      for (const auto& [category, scores] : report.categories) {
        const int64_t label = category;
        CAPTURE(label);
        check_scores(scores, expected[std::to_string(label)]);
      }
    }
    ++n;
  }
  CHECK(n == 5);
}

TEST_CASE("polygons are filled as pycocotools fills them") {
  const json all = reference();
  for (const json& one : all["polygons"]) {
    const std::vector<double> corners = one["corners"];
    CAPTURE(corners.size());
    const Rle mask = rle_from_polygon(corners, one["height"], one["width"]);
    CHECK(rle_to_text(mask) == one["counts"].get<std::string>());
  }
  CHECK(all["polygons"].size() == 24);
}
