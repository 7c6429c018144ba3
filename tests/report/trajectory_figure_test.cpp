#include "cytograd/report/trajectory_figure.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cytograd/core/error.h"
#include "report/invented_path.h"
#include "report/picture_reader.h"
#include "report/trajectory_panels.h"
#include "report/trajectory_parts.h"

using namespace cytograd;
using namespace cytograd::test;
using multimodal::Trajectory;
using Json = nlohmann::json;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
const std::string hostile = "</script><b>&\"'";

}  // namespace

TEST_CASE("path figure: what it shows") {
  const Trajectory p = test::invented_path(24, 21, 16);
  TrajectoryFigure f = test::invented_figure(p);
  const auto svg = parsed(trajectory_svg(p, f));
  CHECK(svg.child("svg").attribute("width").as_double() == 1080);
  CHECK(svg.select_nodes("//image").size() == 11);  // ten frames and the heat map
  const auto all = texts(svg);
  for (const char* text : {"first to last", "invented", "first", "last", "t = 0.00", "1.00",
                           "18 genes, without 6 flat", "n = 6", "granularity"})
    CHECK_MESSAGE(contains(all, text), text);
  // Of each cluster the two genes that change most, each with a band.
  CHECK(texts(svg, "[@font-style='italic' and @font-size='12.5']").size() == 6);
  CHECK(svg.select_nodes("//path[@fill-opacity='0.2']").size() == 3 + 6);
  // Outlines, white below black.
  CHECK(svg.select_nodes("//path[@stroke='#111111' and @fill='none']").size() == 10);
  f.outline = false;
  CHECK(parsed(trajectory_svg(p, f))
            .select_nodes("//path[@stroke='#111111' and @fill='none']")
            .empty());
  f.highlight = {"G5", "NONE", "G2", "G5"};
  CHECK(texts(parsed(trajectory_svg(p, f)), "[@font-style='italic' and @font-size='12.5']") ==
        std::vector<std::string>{"G5", "G2"});
}

TEST_CASE("path figure: of a cluster the genes that go its way furthest are shown") {
  Trajectory p = test::invented_path(24, 21, 16);
  for (cluster::GeneCluster& c : p.clusters.clusters) {
    std::fill(c.mean.begin(), c.mean.end(), 0.0);
    for (const int64_t g : c.members)
      for (size_t i = 0; i < c.mean.size(); ++i)
        c.mean[i] += p.fold.row(g)[i] / static_cast<double>(c.members.size());
  }
  // Of the rising genes one falls further than any rises, and one rises furthest.
  const auto& rising = p.clusters.clusters[0];
  for (size_t i = 0; i < p.t.size(); ++i) {
    p.fold.row(rising.members[1])[i] = 1 - 20 * rising.mean[i];
    p.fold.row(rising.members[4])[i] = 1 + 10 * rising.mean[i];
  }
  const auto shown = texts(parsed(trajectory_svg(p, test::invented_figure(p))),
                           "[@font-style='italic' and @font-size='12.5']");
  REQUIRE(shown.size() == 6);
  CHECK(shown[0] == p.genes[static_cast<size_t>(rising.members[4])]);
  CHECK(shown[1] != p.genes[static_cast<size_t>(rising.members[1])]);
}

TEST_CASE("path figure: hostile and long names stay text") {
  Trajectory p = test::invented_path(8, 11, 16);
  const std::string controls = std::string("a\x01\x1b[31m\n\t\xff\xc2\x85") + "z";
  p.name = hostile + controls;
  p.stations = {hostile, controls};
  p.genes[0] = hostile;
  p.genes[1] = controls;
  p.genes[2] = std::string(200'000, 'W');
  p.notes = {hostile, controls};
  TrajectoryFigure f = test::invented_figure(p);
  f.subtitle = hostile + controls;
  const std::string picture = trajectory_svg(p, f);
  const auto svg = parsed(picture);
  CHECK(svg.select_nodes("//script").empty());
  CHECK(svg.select_nodes("//b").empty());
  CHECK(contains(texts(svg, symbols), hostile));
  CHECK(contains(texts(svg), escape_control(f.subtitle)));
  CHECK(std::string(svg.child("svg").child("title").text().get()) ==
        "Path " + escape_control(p.name));
  CHECK_FALSE(has(picture, std::string(200, 'W')));

  const std::string html = trajectory_page(p, f);
  CHECK(html.find("</script>") == html.find("</script>", html.find("id=\"data\">")));
  size_t ends = 0;
  for (size_t at = 0; (at = html.find("</script", at)) != std::string::npos; ++at) ++ends;
  CHECK(ends == 2);
  CHECK_FALSE(has(html, "<b>"));
  CHECK_FALSE(has(data_text(html), "<"));
  CHECK(has(html, "<h1>&lt;/script&gt;&lt;b&gt;&amp;&quot;&#39;"));
  const Json data = data_of(html);
  CHECK(data["genes"][0] == hostile);
  CHECK(data["genes"][1] == escape_control(controls));
  CHECK(data["stations"][0] == hostile);
  CHECK(data["notes"][0] == hostile);
}

TEST_CASE("path figure: a name that is too long keeps its ends") {
  CHECK(trajectory::fitted("MPO", 70, 12.5) == "MPO");
  const std::string short_name = trajectory::fitted("myeloid-DOWN-µ12", 70, 12.5);
  CHECK(short_name.starts_with("my"));
  CHECK(short_name.ends_with("µ12"));
  CHECK(has(short_name, "…"));
  CHECK(trajectory::wide_text(short_name, 12.5) <= 70);
  CHECK(trajectory::fitted("a long name", 0, 12.5) == "…");
}

TEST_CASE("path figure: of many stations with long names none is lost or runs over another") {
  Trajectory p = test::invented_path(8, 11, 16);
  p.stations.clear();
  p.station_t.clear();
  for (int i = 0; i < 9; ++i) {
    p.stations.push_back(std::to_string(i) + std::string(5000, 'm'));
    p.station_t.push_back(i / 8.0);
  }
  const auto crowded = parsed(trajectory_svg(p, {}));
  std::map<double, double> end;
  size_t names = 0;
  for (const auto& n :
       crowded.select_nodes("//text[@font-size='12.5' and @text-anchor='middle']")) {
    const std::string text = n.node().text().get();
    if (!has(text, "mmm")) continue;
    ++names;
    const double y = n.node().attribute("y").as_double(), x = n.node().attribute("x").as_double(),
                 wide = trajectory::wide_text(text, 12.5);
    CHECK(x - wide / 2 > 19.8);
    CHECK(x + wide / 2 < 1060.2);
    if (end.contains(y)) CHECK(x - wide / 2 > end[y]);
    end[y] = x + wide / 2;
  }
  CHECK(names == 9);
}

TEST_CASE("path figure: what is not a number is not printed") {
  Trajectory p = test::invented_path(16, 11, 16);
  for (const size_t i : {0, 4, 5}) {
    p.support.image[i] = none;
    p.fold_low.values[i] = none;
    p.fold.values[11 + i] = none;
    p.clusters.clusters[0].deviation[i] = none;
  }
  p.support.rna.assign(11, none);
  TrajectoryFigure f = test::invented_figure(p);
  for (size_t i = 0; i < 11; ++i) f.morphology[i][1] = f.morphology[i == 3 ? 3 : 0][4] = none;
  f.drivers[2].half_time = f.drivers[2].along[1] = f.drivers[2].p[3] = f.drivers[2].q[3] = none;
  const auto svg = parsed(trajectory_svg(p, f));
  const auto all = texts(svg);
  for (const std::string& text : all) {
    CHECK_MESSAGE(!has(lower(text), "nan"), text);
    CHECK_MESSAGE(!has(lower(text), "inf"), text);
  }
  CHECK(contains(all, "no value"));  // of the score without any
  CHECK(rects(svg, "[@class='outside']").empty());

  const std::string html = trajectory_page(p, f);
  Json data = data_of(html);
  CHECK(data["supportImage"][4].is_null());
  CHECK(data["supportImage"][3] == 40);
  CHECK(data["supportRna"] == Json(std::vector<Json>(11)));
  CHECK(data["fold"][1][5].is_null());
  CHECK(data["fold"][1][6].is_number());
  CHECK(data["morphology"][7][1].is_null());
  CHECK(data["morphology"][3][4].is_null());
  CHECK(data["drivers"]["2"][0].is_null());
  CHECK(data["drivers"]["2"][1][1].is_null());
  CHECK(data["drivers"]["2"][3][3].is_null());
  CHECK(data["drivers"]["2"][3][2].is_number());
  data.erase("sheet");
  data.erase("figure");
  CHECK_FALSE(has(data.dump(), "nan"));
  CHECK_FALSE(has(data.dump(), "inf"));
}

TEST_CASE("path figure: rows of the heat map by cluster, time of maximum, symbol") {
  Trajectory p = test::invented_path(8, 5, 16);
  // Maxima at steps 3, 1, 3, -, 0, 1, 3, - in clusters up, down, peak and flat.
  p.genes = {"B", "D", "A", "flat1", "C", "Z", "X", "flat2"};
  const size_t peaks[] = {3, 1, 3, 0, 0, 1, 3, 0};
  p.clusters.labels = {0, 1, 0, -1, 0, 1, 2, -1};
  for (size_t g = 0; g < 8; ++g)
    for (size_t i = 0; i < 5; ++i) p.fold.row(static_cast<int64_t>(g))[i] = i == peaks[g] ? 2 : 0.5;
  p.fold.row(2)[0] = none;
  // down: D, Z (same time); transient-peak: X; up: C (0), A, B (same time).
  const std::vector<int64_t> order = {1, 5, 6, 4, 2, 0};
  CHECK(trajectory::heat_order(p) == order);
  CHECK(data_of(trajectory_page(p, {}))["order"] == order);
  CHECK(texts(parsed(trajectory_svg(p, {})), symbols) ==
        std::vector<std::string>{"D", "Z", "X", "C", "A", "B"});
  // Rows are z-scores within 2, a constant row is 0.
  CHECK(trajectory::clipped_scores(std::vector<double>{0, 0, 0, 0, 0, 0, 0, 0, 1}).back() == 2);
  CHECK(trajectory::clipped_scores(std::vector<double>{1, 3}) == std::vector<double>{-1, 1});
  CHECK(trajectory::clipped_scores(std::vector<double>{0.3, 0.3, 0.3}) ==
        std::vector<double>{0, 0, 0});
  CHECK(std::isnan(trajectory::clipped_scores(std::vector<double>{0.3, none})[1]));
}

TEST_CASE("path figure: every symbol of up to 60 genes has a line of its own") {
  for (const int64_t genes : {4, 40, 80}) {
    const Trajectory p = test::invented_path(genes, 11, 16);
    const auto svg = parsed(trajectory_svg(p, {}));
    const int64_t rows = genes / 4 * 3;
    std::set<std::string> seen;
    double last = -1e9;
    for (const auto& n : svg.select_nodes((std::string("//text") + symbols).c_str())) {
      CHECK(n.node().attribute("y").as_double() - last >= 11);
      last = n.node().attribute("y").as_double();
      seen.insert(n.node().text().get());
    }
    CHECK(static_cast<int64_t>(seen.size()) == rows);
  }
  // Of many only the highlighted ones, at least as far apart.
  const auto svg = parsed(trajectory_svg(test::invented_path(400, 11, 16), {}));
  double last = -1e9;
  const auto found = svg.select_nodes((std::string("//text") + symbols).c_str());
  CHECK(found.size() == 6);
  for (const auto& n : found) {
    CHECK(n.node().attribute("y").as_double() - last >= 12.3);
    last = n.node().attribute("y").as_double();
  }
}

TEST_CASE("path figure: hatched exactly where the path is outside the data") {
  Trajectory p = test::invented_path(8, 11, 16);
  CHECK(rects(parsed(trajectory_svg(p, {})), "[@class='outside']").empty());
  p.support.image = {10, 20, 30, 99.5, 100, 99.04, 98, 99, none, 98.9, 99.1};
  p.support.rna = {99.9, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10};
  const auto svg = parsed(trajectory_svg(p, {}));
  const auto bars = rects(svg, "[@fill='none' and @height='11.0' and @stroke='#555555']");
  REQUIRE(bars.size() == 2);
  const auto outside = rects(svg, "[@class='outside']");
  REQUIRE(outside.size() == 3);
  // Steps 3 to 5, 10, and 0: from half way to the neighbours.
  const double begins[] = {0.25, 0.95, 0}, ends[] = {0.55, 1, 0.05};
  for (size_t i = 0; i < 3; ++i) {
    const Bar& bar = bars[i < 2 ? 0 : 1];
    CHECK(std::abs(outside[i].x - (bar.x + begins[i] * bar.width)) < 0.11);
    CHECK(std::abs(outside[i].width - (ends[i] - begins[i]) * bar.width) < 0.11);
    CHECK(outside[i].y == bar.y);
  }
  // The page hatches by the same numbers: rounding must not bring them to 99.
  const Json data = data_of(trajectory_page(p, {}));
  for (size_t i = 0; i < 11; ++i) {
    const Json& v = data["supportImage"][i];
    CHECK((v.is_number() && v.get<double>() > 99) == (p.support.image[i] > 99));
  }
}
