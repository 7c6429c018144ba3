#include "cytograd/report/figures.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/report/embedding_page.h"

using namespace cytograd;

namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

EmbeddingFigure figure() {
  EmbeddingFigure f;
  f.title = "a <b>";
  f.classes = {"x", "y&z"};
  f.colors = {{255, 0, 0}, {0, 0, 255}};
  f.points = {{0, 0}, {1, 0}, {0, 1}, {4, 4}, {5, 5}, {NAN, 0}};
  f.labels = {0, 0, 0, 1, 1, 1};
  f.wrong = {false, true, false, false, false, false};
  return f;
}

EmbeddingPage page(size_t n) {
  EmbeddingPage p;
  p.title = "cells";
  p.classes = {"a", "</script><script>alert(1)"};
  p.colors = {{1, 2, 3}, {250, 5, 9}};
  PageMap map{"m", "x", "y", {}, {}, {}, {}};
  PageGroup fold{"fold", {"0"}, {}};
  for (size_t i = 0; i < n; ++i) {
    p.names.push_back("cell " + std::to_string(i));
    p.labels.push_back(static_cast<int64_t>(i % 2));
    map.places.push_back({static_cast<double>(i) / 3, i == 1 ? NAN : 2.0});
    map.predicted.push_back(i == 2 ? -1 : 0);
    fold.codes.push_back(0);
  }
  p.maps.push_back(map);
  p.groups.push_back(fold);
  return p;
}

nlohmann::json data_of(const std::string& html) {
  const std::string begin = "id=\"data\">";
  const size_t at = html.find(begin) + begin.size();
  return nlohmann::json::parse(html.substr(at, html.find("</script>", at) - at));
}

}  // namespace

TEST_CASE("embedding figure: points, ellipses, regions, a legend; text is escaped") {
  EmbeddingFigure f = figure();
  std::string svg = embedding_svg(f);
  // Five places and two entries of the legend, one for what is wrong; two points have no ellipse.
  CHECK(count(svg, "<circle") == 5 + 2 + 1);
  CHECK(count(svg, "<ellipse") == 1);
  CHECK(count(svg, "<image") == 0);
  CHECK(count(svg, "y&amp;z") == 1);
  CHECK(count(svg, "<b>") == 0);
  f.grid = 40;
  size_t asked = 0;
  f.regions = [&](const std::vector<Point2>& places) {
    asked = places.size();
    std::vector<int64_t> out;
    for (const Point2& p : places) {
      // The points' box and 10 % more.
      CHECK(std::abs(p[0] - 2.5) <= 2.75);
      out.push_back(p[0] + p[1] > 4);
    }
    return out;
  };
  svg = embedding_svg(f);
  CHECK(asked == 40 * 40);
  CHECK(count(svg, "data:image/png;base64,") == 1);
  f.regions = [](const std::vector<Point2>&) { return std::vector<int64_t>{0}; };
  CHECK_THROWS_AS(embedding_svg(f), ShapeError);
  f.labels.pop_back();
  CHECK_THROWS_AS(embedding_svg(f), ShapeError);
  // One point, and none that is finite.
  f = figure();
  f.points.assign(6, {3, 3});
  CHECK(count(embedding_svg(f), "<circle") == 9);
  f.points.assign(6, {NAN, 3});
  CHECK(count(embedding_svg(f), "nan") == 0);
}

TEST_CASE("reliability figure: a panel per confidence with ECE and counts") {
  const std::vector<double> confidence = {0.1, 0.9, 0.95, 0.97};
  const std::vector<uint8_t> correct = {0, 1, 1, 0};
  const Reliability r = reliability_of(confidence, correct);
  const std::string svg = reliability_svg("t", {{"softmax", r}, {"none", reliability_of({}, {})}});
  CHECK(count(svg, "ECE " + std::to_string(r.ece).substr(0, 5)) == 1);
  CHECK(count(svg, "no cells") == 1);
  CHECK(count(svg, ", n = 4") == 1);
}

TEST_CASE("embedding page: one file, nothing from elsewhere, text cannot leave the data") {
  const std::string html = embedding_page_html(page(4));
  CHECK(count(html, "</script>") == 2);
  CHECK(count(html, "http:/") + count(html, "https:/") == 0);
  CHECK(count(html, "default-src 'none'") == 1);
  CHECK(count(html, "without pictures") == 1);
  const auto data = data_of(html);
  CHECK(data["classes"][1] == "</script><script>alert(1)");
  CHECK(data["colours"][1] == "#fa0509");
  CHECK(data["maps"][0]["x"][2].get<double>() == doctest::Approx(2. / 3).epsilon(1e-3));
  CHECK(data["maps"][0]["y"][1].is_null());
  CHECK(data["maps"][0]["predicted"][2] == -1);
}

TEST_CASE("embedding page: pictures in sheets, within a limit; sizes that do not fit are refused") {
  EmbeddingPage p = page(40);
  for (size_t i = 0; i < 40; ++i) p.thumbnails.emplace_back(96, 96, 3, static_cast<uint8_t>(6 * i));
  const auto atlas = data_of(embedding_page_html(p))["atlas"];
  CHECK(atlas["side"] == 96);
  CHECK(atlas["columns"] == 21);
  CHECK(atlas["sheets"].size() == 1);
  CHECK(count(embedding_page_html(p, 100), "pictures left out") == 1);
  p.thumbnails.pop_back();
  CHECK_THROWS_AS(embedding_page_html(p), ShapeError);
  CHECK_THROWS_AS(embedding_page_html(page(0)), ValueError);
  CHECK_THROWS_AS(embedding_page_html(page(page_points + 1)), ValueError);
  CHECK(thumbnail_side(900) == 96);
  CHECK(thumbnail_side(20000) == 32);
}
