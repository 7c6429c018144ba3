#include "cytograd/guided/guide.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::vector<std::string> names_of(const Guide& guide) {
  std::vector<std::string> out;
  for (const GuideClass& c : guide.classes) out.push_back(c.name);
  return out;
}

Guide from_text(const std::string& text, const std::string& name = "g.csv") {
  const TempFolder folder;
  write_file_atomically(folder / name, text);
  return read_guide(folder / name);
}

template <class F>
std::string config_error(F&& f) {
  try {
    f();
  } catch (const ConfigError& e) {
    CHECK(e.fault().id == "guide");
    return e.what();
  }
  return "no error";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("guide: the fifteen classes as published") {
  const Guide guide = find_guide("hematopoiesis-15");
  REQUIRE(guide.classes.size() == 15);
  double sum = 0, least = 1e9;
  for (size_t i = 0; i < 15; ++i)
    for (size_t j = 0; j < i; ++j) {
      const GuideClass &a = guide.classes[i], &b = guide.classes[j];
      const double d = std::abs(a.x - b.x) + std::abs(a.y - b.y);
      sum += d;
      least = std::min(least, d);
    }
  CHECK(std::abs(sum / 105 - 4.841448) < 1e-6);
  CHECK(std::abs(least - 1) < 1e-12);
  const auto box = unit_box(match_guide(guide, names_of(guide)).points());
  CHECK(box[5] == Point2{5, 10});  // segmented
  CHECK(std::abs(box[0][0] - 5) < 1e-12);
  CHECK(std::abs(box[0][1] - 4.444444) < 1e-6);  // blast
  CHECK(find_guide("blood-11").classes.size() == 11);
  CHECK(find_guide("blood-10").find("erythroblast")->point() == Point2{0, -2.5});
  CHECK(find_guide("blood-5").find("neutrophil")->point() == Point2{0, 5});
  CHECK(has(config_error([] { find_guide("blood"); }), "hematopoiesis-15"));
}

TEST_CASE("guide: files say the same as CSV and JSON") {
  const Guide guide = find_guide("hematopoiesis-15");
  for (const bool json : {false, true}) {
    const Guide read =
        from_text(json ? guide_json(guide) : guide_csv(guide), json ? "g.json" : "g.csv");
    REQUIRE(names_of(read) == names_of(guide));
    for (size_t i = 0; i < 15; ++i) {
      CHECK(read.classes[i].point() == guide.classes[i].point());
      CHECK(read.classes[i].lineage == guide.classes[i].lineage);
      CHECK(read.classes[i].stage == guide.classes[i].stage);
      CHECK(read.classes[i].color == guide.classes[i].color);
    }
  }
  const Guide plain = from_text("x,class,y\n1,\"a, b\",2\n-1,c,0.5\n");
  CHECK(plain.classes[0].name == "a, b");
  CHECK(plain.classes[1].point() == Point2{-1, 0.5});
  CHECK_FALSE(plain.classes[0].stage);
}

TEST_CASE("guide: faults name the classes") {
  CHECK(
      has(config_error([] { from_text("class,x,y\na,0,0\na,1,1\n"); }), "class a is there twice"));
  CHECK(has(config_error([] { from_text("class,x,y\na,0,nan\n"); }),
            "the point of class a is not finite"));
  CHECK(has(config_error([] { from_text("class,x,y\na,inf,0\n"); }), "line 2"));
  CHECK(has(config_error([] { from_text("class,x,y\na,0,zero\n"); }), "a number"));
  CHECK(has(config_error([] { from_text("class,x\na,0\n"); }), "y"));
  CHECK(has(config_error([] { from_text("class,x,y,color\na,0,0,red\n"); }), "#rrggbb"));
  CHECK(has(config_error([] { from_text("class,x,y,stage\na,0,0,old\n"); }), "a whole number"));
  CHECK(has(config_error([] { from_text("class,x,y\n"); }), "no classes"));
  CHECK(has(config_error([] { from_text("[]", "g.json"); }), "JSON that is no guide"));
  CHECK(has(config_error([] { from_text("{\"classes\":[{\"class\":\"a\",\"x\":1}]}", "g.json"); }),
            "class 0"));
  CHECK_THROWS_AS(read_guide("/nowhere/g.csv"), FileError);

  const Guide guide = from_text("class,x,y\na,0,0\nb,0,5e-7\nc,1,0\nd,2,0\n");
  const std::string missing = config_error([&] { match_guide(guide, {"a", "e", "c", "f"}); });
  CHECK(has(missing, "no row for e, f"));
  CHECK(has(config_error([&] {
              match_guide(guide, {"a", "b"});
            }),
            "classes a and b lie at one point"));
  // Only the classes of the data count.
  const MatchedGuide matched = match_guide(guide, {"d", "a"});
  CHECK(matched.points() == std::vector<Point2>{{2, 0}, {0, 0}});
  CHECK(matched.unused == std::vector<std::string>{"b", "c"});
  CHECK(has(config_error([&] { unit_box(matched.points()); }), "the same y"));
}

TEST_CASE("guide: pictures hold every class") {
  const Guide guide = find_guide("hematopoiesis-15");
  const std::string svg = guide_svg(guide);
  for (const GuideClass& c : guide.classes) {
    CHECK(has(svg, ">" + c.name + "<"));
    CHECK(has(svg, "fill=\"" + c.color + "\""));
  }
  CHECK(lineage_edges(guide.classes).size() == 14);
  const Image image = guide_image(guide, 300);
  CHECK(std::max(image.width, image.height) == 300);
  // Blast, in grey, at (0, 0) of x in -4..4 and y in -4..5.
  const auto at = image.at(33 + (300 - 67) * 5 / 9, image.width / 2);
  CHECK(at[0] == 0x9e);
  CHECK(at[2] == 0x9e);
  Guide hostile = guide;
  hostile.classes[0].name = "<script>";
  CHECK_FALSE(has(guide_svg(hostile), "<script>"));
}
