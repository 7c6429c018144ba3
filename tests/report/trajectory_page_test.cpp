#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "cytograd/report/trajectory_figure.h"
#include "report/invented_path.h"
#include "report/picture_reader.h"
#include "report/trajectory_parts.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::test;
using doctest::Approx;
using multimodal::Trajectory;
using Json = nlohmann::json;

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
