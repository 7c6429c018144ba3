#include "cytograd/report/trajectory_figure.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "report/invented_path.h"
#include "report/trajectory_panels.h"
#include "report/trajectory_parts.h"
#include "support/temp_folder.h"

using namespace cytograd;
using doctest::Approx;
using multimodal::Trajectory;
using Json = nlohmann::json;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
const std::string hostile = "</script><b>&\"'";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What an XML parser need not check and browsers refuse: control characters, attributes twice;
// and numbers that are none.
struct Strict : pugi::xml_tree_walker {
  bool for_each(pugi::xml_node& node) override {
    std::set<std::string> names;
    for (const pugi::xml_attribute& a : node.attributes()) {
      CHECK_MESSAGE(names.insert(a.name()).second, node.name(), " has ", a.name(), " twice");
      const std::string value = lower(a.value());
      if (std::string(a.name()) == "href") continue;  // pictures as text
      CHECK_MESSAGE(!has(value, "nan"), value);
      CHECK_MESSAGE(!has(value, "inf"), value);
    }
    return true;
  }
};

pugi::xml_document parsed(const std::string& svg) {
  pugi::xml_document out;
  const pugi::xml_parse_result result = out.load_buffer(svg.data(), svg.size(), pugi::parse_full);
  CHECK_MESSAGE(result, result.description());
  bool control = false;
  for (const char c : svg) control |= static_cast<unsigned char>(c) < 0x20 && c != '\n';
  CHECK_FALSE(control);
  Strict strict;
  out.traverse(strict);
  return out;
}

std::vector<std::string> texts(const pugi::xml_document& svg, const std::string& where = "") {
  std::vector<std::string> out;
  for (const auto& n : svg.select_nodes(("//text" + where).c_str()))
    out.emplace_back(n.node().text().get());
  return out;
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string json_text(const std::string& html) {
  const std::string begin = "id=\"data\">";
  const size_t at = html.find(begin) + begin.size();
  return html.substr(at, html.find("</script>", at) - at);
}
Json data_of(const std::string& html) { return Json::parse(json_text(html)); }

// Symbols beside the heat map: slanted, smaller than the titles of panels.
const char* const symbols = "[contains(@font-style,'italic') and @font-size='11.0']";

struct Bar {
  double x, y, width;
};
std::vector<Bar> rects(const pugi::xml_document& svg, const std::string& where) {
  std::vector<Bar> out;
  for (const auto& n : svg.select_nodes(("//rect" + where).c_str()))
    out.push_back({n.node().attribute("x").as_double(), n.node().attribute("y").as_double(),
                   n.node().attribute("width").as_double()});
  return out;
}

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
  CHECK(contains(texts(svg), escape_control(controls)));
  CHECK(std::string(svg.child("svg").child("title").text().get()) ==
        "Path " + escape_control(p.name));
  CHECK_FALSE(has(picture, std::string(200, 'W')));

  const std::string html = trajectory_page(p, f);
  CHECK(html.find("</script>") == html.find("</script>", html.find("id=\"data\">")));
  size_t ends = 0;
  for (size_t at = 0; (at = html.find("</script", at)) != std::string::npos; ++at) ++ends;
  CHECK(ends == 2);
  CHECK_FALSE(has(html, "<b>"));
  CHECK_FALSE(has(json_text(html), "<"));
  CHECK(has(html, "<h1>&lt;/script&gt;&lt;b&gt;&amp;&quot;&#39;"));
  const Json data = data_of(html);
  CHECK(data["genes"][0] == hostile);
  CHECK(data["genes"][1] == escape_control(controls));
  CHECK(data["stations"][0] == hostile);
  CHECK(data["notes"][0] == hostile);

  // Many stations with long names: none is lost, none runs over another.
  p = test::invented_path(8, 11, 16);
  p.stations.clear();
  p.station_t.clear();
  for (int i = 0; i < 6; ++i) {
    p.stations.push_back(std::to_string(i) + std::string(5000, 'm'));
    p.station_t.push_back(0.2 * i);
  }
  const auto crowded = parsed(trajectory_svg(p, f));
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
  CHECK(names == 6);
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
    CHECK(n.node().attribute("y").as_double() - last >= 12.4);
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

TEST_CASE("path page: fold changes times the mean over all steps are the expression") {
  Trajectory p = test::invented_path(8, 21, 16);
  // Every second step is left out: the mean of those that are kept is another.
  Trajectory thin = test::invented_path(8, 6, 16);
  for (int64_t g = 0; g < 8; ++g)
    for (size_t i = 0; i < 6; ++i) {
      thin.expression.row(g)[i] = p.expression.row(g)[2 * i];
      thin.fold.row(g)[i] = p.fold.row(g)[2 * i];
    }
  for (size_t i = 0; i < 6; ++i) thin.t[i] = p.t[2 * i];
  const Json data = data_of(trajectory_page(thin, {}));
  for (size_t g = 0; g < 8; ++g)
    for (size_t i = 0; i < 6; ++i)
      CHECK(data["fold"][g][i].get<double>() / 1000 * data["means"][g].get<double>() ==
            Approx(thin.expression.row(static_cast<int64_t>(g))[i]).epsilon(0.005));
  CHECK(data["bandText"] == "Bands: 5th to 95th percentile of the sampled paths.");
}

TEST_CASE("path page: all 2,432 genes over 100 steps stay below 15 MB") {
  const Trajectory p = test::invented_path(2432, 100, 128);
  const std::string html = trajectory_page(p, test::invented_figure(p));
  CHECK(html.size() < 15'000'000);
  const Json data = data_of(html);
  CHECK(data["fold"].size() == 2432);
  CHECK(data["fold"][7].size() == 100);
  CHECK(data["drivers"].size() == 2432);
  CHECK(data["bands"].size() == 300);
  CHECK(data["outlines"].size() == 100);
  CHECK(has(data["bandText"], "for the 300 genes that change most"));
  for (const Json& g : data["chosen"])
    CHECK(data["bands"].contains(std::to_string(g.get<int64_t>())));
}

TEST_CASE("path figure: the outline is where the mask crosses a half") {
  const auto area = [](const std::string& path) {
    double sum = 0, x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    const char* at = path.c_str();
    while (*at) {
      const char command = *at++;
      if (command == 'Z') {
        sum += x1 * y0 - x0 * y1;
        continue;
      }
      char* next = nullptr;
      const double x = std::strtod(at, &next), y = std::strtod(next, &next);
      at = next;
      if (command == 'M')
        x0 = x, y0 = y;
      else
        sum += x1 * y - x * y1;
      x1 = x, y1 = y;
    }
    return sum / 2;
  };
  std::vector<float> mask(64 * 64);
  for (size_t i = 0; i < mask.size(); ++i) {
    const double r =
        std::hypot(static_cast<double>(i / 64) - 31.5, static_cast<double>(i % 64) - 31.5);
    mask[i] = static_cast<float>(std::clamp(20.5 - r, 0.0, 1.0));
  }
  const double disc = std::abs(area(trajectory::outline_path(mask, 64)));
  CHECK(disc == Approx(400 * std::acos(-1.0)).epsilon(0.01));
  CHECK(std::abs(area(trajectory::outline_path(mask, 64, 5, 7, 2))) ==
        Approx(4 * disc).epsilon(0.01));
  CHECK(trajectory::outline_path(std::vector<float>(64 * 64), 64).empty());
  CHECK(trajectory::outline_path(std::vector<float>(64 * 64, std::nanf("")), 64).empty());
  // To the border, and a hole that runs the other way round.
  CHECK(std::abs(area(trajectory::outline_path(std::vector<float>(64 * 64, 1), 64))) ==
        Approx(64 * 64).epsilon(0.01));
  for (float& v : mask) v = 1 - v;
  CHECK(std::abs(area(trajectory::outline_path(mask, 64))) == Approx(64 * 64 - disc).epsilon(0.01));
  CHECK_THROWS_AS(trajectory::outline_path(mask, 63), ShapeError);
}

TEST_CASE("path figures: the files, and what the user is told") {
  const Trajectory p = test::invented_path(60, 11, 16);
  TrajectoryFigure f = test::invented_figure(p);
  for (int g = 0; g < 15; ++g) f.highlight.push_back("G" + std::to_string(g));
  f.highlight.push_back("MPO");
  const TempFolder folder;
  auto notes = write_trajectory_figures(p, f, folder.path().string());
  REQUIRE(notes.size() >= 2);
  CHECK(notes[0] == "gene MPO was not measured and is not drawn");
  CHECK(notes[1] == "figure.svg draws the first 12 of 15 genes; page.html has all");
  CHECK(read_file(folder / "figure.svg") == trajectory_svg(p, f));
  CHECK(read_file(folder / "page.html") == trajectory_page(p, f));
  if (notes.size() == 2) {
    CHECK(folder.count() == 3);
    CHECK(read_image(folder / "figure.png").width == 2126);
  } else {
    CHECK(has(notes[2], "rsvg-convert is not installed"));
    CHECK(folder.count() == 2);
  }

  // Without the program there is a note in place of the PNG.
  const TempFolder other;
  const char* set = std::getenv("PATH");
  const std::string before = set ? set : "";
  setenv("PATH", other.path().c_str(), 1);
  notes = write_trajectory_figures(p, {}, other.path().string());
  setenv("PATH", before.c_str(), 1);
  CHECK(notes == std::vector<std::string>{
                     "figure.png was not made: the program rsvg-convert is not installed"});
  CHECK(other.count() == 2);
  CHECK_THROWS_AS(write_trajectory_figures(p, f, folder / "none"), FileError);
}

TEST_CASE("path figure: without frames, genes that change, support") {
  Trajectory p = test::invented_path(4, 1, 16);
  p.frames = p.masks = {};
  p.clusters = {};
  p.clusters.labels.assign(4, -1);
  p.support = {};
  p.fold_low = p.fold_high = p.expression = {};
  const auto svg = parsed(trajectory_svg(p, {}));
  CHECK(contains(texts(svg), "No gene changes along this path."));
  CHECK(svg.select_nodes("//image").empty());
  const Json data = data_of(trajectory_page(p, {}));
  CHECK(data["sheet"].is_null());
  CHECK(data["order"].empty());
}

TEST_CASE("path figure: parts that do not fit the path are named") {
  const Trajectory good = test::invented_path(8, 5, 16);
  const auto refused = [](const Trajectory& p, const TrajectoryFigure& f, const char* part) {
    CHECK_THROWS_WITH_AS(trajectory_svg(p, f), doctest::Contains(part), ShapeError);
    CHECK_THROWS_WITH_AS(trajectory_page(p, f), doctest::Contains(part), ShapeError);
  };
  Trajectory p = good;
  p.support.rna.pop_back();
  refused(p, {}, "support at 5 steps, got 4");
  p = good;
  p.genes.pop_back();
  refused(p, {}, "fold changes [7, 5], got [8, 5]");
  p = good;
  p.clusters.labels[2] = 3;
  refused(p, {}, "clusters of these 8 genes");
  p = good;
  p.frames = Tensor::zeros({4, 16, 16, 3});
  refused(p, {}, "expects frames [5, side, side, 3]");
  p = good;
  p.masks = Tensor::zeros({5, 8, 8});
  refused(p, {}, "a mask per frame");
  p = good;
  p.station_t.pop_back();
  refused(p, {}, "2 stations, 1 places");
  TrajectoryFigure f = test::invented_figure(good);
  f.drivers[3].gene = 8;
  refused(good, f, "got gene 8");
  f = test::invented_figure(good);
  f.morphology[1].pop_back();
  refused(good, f, "morphology [5][6]");
}
