#include "cytograd/report/detector_page.h"

#include <doctest/doctest.h>

#include <array>

#include "cytograd/report/overlay.h"

using namespace cytograd;
using detection::FoundObject;
using detection::MaskPiece;

namespace {

MaskPiece block(int64_t x, int64_t y, int64_t side) {
  return {x, y, side, side, std::vector<uint8_t>(static_cast<size_t>(side * side), 1)};
}

FoundObject found(int64_t x, int64_t y, int64_t side, float score, int64_t label = 1) {
  const MaskPiece mask = block(x, y, side);
  return {label, score, detection::bounds(mask), mask, false};
}

// A cell with a mask, one that has a box alone, and a group.
Field three_objects() {
  Field out;
  out.height = 60;
  out.width = 80;
  const MaskPiece mask = block(10, 10, 20);
  out.objects = {{0, detection::bounds(mask), mask, false},
                 {0, {40, 30, 60, 50}, {}, false},
                 {0, {60, 0, 80, 20}, {}, true}};
  return out;
}

std::array<uint8_t, 3> pixel(const Image& image, int64_t y, int64_t x) {
  const uint8_t* p = image.at(y, x);
  return {p[0], p[1], p[2]};
}

}  // namespace

TEST_CASE("a field is judged by class and overlap") {
  const Field field = three_objects();
  const FieldJudgement all = judge_field(
      field, {found(11, 10, 20, 0.9f), found(41, 31, 20, 0.8f), found(62, 2, 10, 0.7f)});
  CHECK(all.hits == 2);
  CHECK(all.missed.empty());
  CHECK(all.alarms.empty());  // the third lies in the group
  CHECK(all.share() == 1);
  const FieldJudgement none = judge_field(
      field, {found(11, 10, 20, 0.9f, 2), found(41, 31, 20, 0.4f), found(0, 40, 10, 0.6f)});
  CHECK(none.hits == 0);
  CHECK(none.missed == std::vector<size_t>{0, 1});
  CHECK(none.alarms == std::vector<size_t>{0, 2});
  // An object is found once.
  const FieldJudgement twice =
      judge_field(field, {found(10, 10, 20, 0.6f), found(11, 11, 20, 0.9f)});
  CHECK(twice.hits == 1);
  CHECK(twice.alarms == std::vector<size_t>{0});
  CHECK(judge_field(Field{}, {}).share() == 1);
}

TEST_CASE("misses and false alarms are drawn") {
  const Field field = three_objects();
  const std::vector<FoundObject> objects = {found(10, 10, 20, 0.9f), found(0, 40, 10, 0.6f)};
  const Image ground(60, 80, 3, 128);
  const Image drawn = draw_judged(ground, field, objects, judge_field(field, objects));
  CHECK(pixel(drawn, 10, 15) == std::array<uint8_t, 3>{0, 114, 60});     // the outline of the hit
  CHECK(pixel(drawn, 20, 20) == std::array<uint8_t, 3>{128, 128, 128});  // its inside
  CHECK(pixel(drawn, 40, 5) == std::array<uint8_t, 3>{255, 225, 0});     // the false alarm
  CHECK(pixel(drawn, 30, 41) == std::array<uint8_t, 3>{190, 0, 190});    // the miss
  CHECK(pixel(drawn, 30, 48) == std::array<uint8_t, 3>{128, 128, 128});  // a gap of its frame
}

TEST_CASE("the page of a detector stands alone") {
  DetectorScorer scorer(true);
  const Field field = three_objects();
  scorer.add(field, {found(10, 10, 20, 0.9f)});
  DetectorPage page;
  page.title = "<run>";
  page.classes = {"WBC", "never seen"};
  page.scores = scorer.scores();
  const FieldJudgement judgement = judge_field(field, {});
  page.worst.push_back({"a&b.png", Image(60, 80, 3, 90), judgement});
  const std::string html = detector_page_html(page);
  CHECK(html.find("<run>") == std::string::npos);
  CHECK(html.find("a&amp;b.png: 0 found, 2 missed, 0 false alarms") != std::string::npos);
  CHECK(html.find("http://") == html.find("http://www.w3.org"));
  CHECK(html.find("<script") == std::string::npos);
  const std::string svg = precision_recall_svg(page.scores, page.classes);
  CHECK(svg.find("polyline") != std::string::npos);
  CHECK(svg.find("never seen, none annotated") != std::string::npos);
}
