#include "cytograd/detection/coco_eval.h"

#include <doctest/doctest.h>

#include <limits>

#include "cytograd/core/error.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

CocoObject object(const CocoBox& box, bool crowd = false, int64_t category = 1) {
  return {category, box, box.w * box.h, crowd, {}};
}
CocoResult result(const CocoBox& box, double score, int64_t category = 1) {
  return {category, box, score, {}};
}
void check_near(double actual, double expected) {
  CAPTURE(actual);
  CAPTURE(expected);
  CHECK_FALSE(!(std::abs(actual - expected) <= 1e-6));
}
CocoScores scores(const std::vector<CocoImage>& images) {
  return evaluate_coco(images, CocoKind::box).all;
}

Rle rectangle(int64_t height, int64_t width, int64_t y, int64_t x, int64_t h, int64_t w) {
  std::vector<uint8_t> mask(static_cast<size_t>(height * width), 0);
  for (int64_t i = y; i < y + h; ++i)
    for (int64_t j = x; j < x + w; ++j) mask[static_cast<size_t>(i * width + j)] = 1;
  return encode_mask(mask, height, width);
}

}  // namespace

TEST_CASE("COCO scores of three images") {
  const CocoImage first{{object({10, 10, 100, 100}), object({150, 150, 40, 40})},
                        {result({12, 12, 100, 100}, .95), result({10, 10, 100, 60}, .90),
                         result({150, 150, 40, 52}, .80)}};
  const CocoImage second{{object({0, 0, 20, 20}), object({100, 100, 150, 150}, true)},
                         {result({0, 0, 20, 16}, .85), result({110, 110, 50, 50}, .70),
                          result({200, 20, 30, 30}, .60)}};
  const CocoImage third{{}, {result({5, 5, 50, 50}, .50)}};
  const CocoReport report = evaluate_coco({first, second, third}, CocoKind::box);
  const CocoScores& s = report.all;
  check_near(s.ap, 0.623267);
  check_near(s.ap50, 0.834158);
  check_near(s.ap75, 0.834158);
  check_near(s.ap_small, 0.7);
  check_near(s.ap_medium, 0.3);
  check_near(s.ap_large, 0.9);
  check_near(s.ar1, 0.533333);
  check_near(s.ar10, 0.733333);
  check_near(s.ar100, 0.733333);
  CHECK(report.categories.size() == 1);
  CHECK(report.categories.at(1).precision50.size() == 101);
}

TEST_CASE("COCO scores of hits and misses in turn") {
  CocoImage image;
  for (int i = 1; i <= 4; ++i) image.objects.push_back(object({50. * i, 0, 40, 40}));
  image.results = {result({50, 0, 40, 40}, .9), result({0, 300, 40, 40}, .8),
                   result({100, 0, 40, 40}, .7), result({60, 300, 40, 40}, .6),
                   result({150, 0, 40, 40}, .5)};
  check_near(scores({image}).ap50, 0.570957);
  check_near(scores({image}).ar100, 0.75);
  // Monotone maps of the scores and the order of images change nothing.
  for (CocoResult& r : image.results) r.score = r.score * r.score * r.score - 7;
  const CocoImage empty;
  check_near(scores({empty, image}).ap50, 0.570957);
}

TEST_CASE("COCO scores at the edge of a threshold") {
  const CocoImage half{{object({0, 0, 10, 10})}, {result({0, 0, 10, 5}, .9)}};
  check_near(scores({half}).ap50, 1);
  check_near(scores({half}).ap, 0.1);
}

TEST_CASE("COCO scores of equal scores follow the order given") {
  const CocoResult hit = result({0, 0, 10, 10}, .9), miss = result({50, 50, 10, 10}, .9);
  check_near(scores({{{object({0, 0, 10, 10})}, {miss, hit}}}).ap, 0.5);
  check_near(scores({{{object({0, 0, 10, 10})}, {hit, miss}}}).ap, 1);
}

TEST_CASE("COCO scores count the best 100 of an image") {
  CocoImage image{{object({0, 0, 10, 10})}, {}};
  for (int i = 0; i < 100; ++i) image.results.push_back(result({50. + 11 * i, 50, 10, 10}, .9));
  image.results.push_back(result({0, 0, 10, 10}, .5));
  check_near(scores({image}).ap, 0);
}

TEST_CASE("COCO scores where there is nothing") {
  CHECK(scores({}).ap == -1);
  CHECK(scores({{{}, {result({0, 0, 5, 5}, .5)}}}).ap == -1);  // no object anywhere
  check_near(scores({{{object({0, 0, 5, 5})}, {}}}).ap, 0);    // nothing found
  CHECK(scores({{{object({0, 0, 5, 5})}, {}}}).ap_large == -1);
}

TEST_CASE("COCO scores per category, and their mean") {
  const CocoImage image{
      {object({0, 0, 10, 10}, false, 1), object({50, 0, 10, 10}, false, 2)},
      {result({0, 0, 10, 10}, .9, 1), result({80, 0, 10, 10}, .9, 2), result({0, 0, 9, 9}, .9, 3)}};
  const CocoReport report = evaluate_coco({image}, CocoKind::box);
  check_near(report.categories.at(1).ap, 1);
  check_near(report.categories.at(2).ap, 0);
  CHECK(report.categories.at(3).ap == -1);  // no object: not part of the mean
  check_near(report.all.ap, 0.5);
}

TEST_CASE("COCO scores of masks") {
  const auto masked = [](Rle mask) {
    return CocoObject{1, {}, static_cast<double>(area(mask)), false, std::move(mask)};
  };
  const CocoImage image{
      {masked(rectangle(40, 40, 5, 5, 20, 20)), masked(rectangle(40, 40, 28, 28, 10, 10))},
      {{1, {}, .9, rectangle(40, 40, 10, 5, 15, 20)},
       {1, {}, .8, rectangle(40, 40, 27, 27, 12, 12)}}};
  const CocoScores s = evaluate_coco({image}, CocoKind::mask).all;
  check_near(s.ap, 0.500990);
  check_near(s.ap50, 1);
  check_near(s.ap75, 0.504950);
}

TEST_CASE("COCO scores refuse what they cannot read") {
  const CocoImage boxes{{object({0, 0, 5, 5})}, {result({0, 0, 5, 5}, .5)}};
  CHECK_THROWS_AS(evaluate_coco({boxes}, CocoKind::mask), ValueError);
  CocoImage nan = boxes;
  nan.results[0].score = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(evaluate_coco({nan}, CocoKind::box), ValueError);
}
