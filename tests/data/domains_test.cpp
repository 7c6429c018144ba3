#include "cytograd/data/domains.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cytograd/data/loader.h"
#include "cytograd/data/transform.h"
#include "cytograd/io/csv.h"
#include "data/support.h"

using namespace cytograd;

namespace {

void put_classes(const TempFolder& folder, const std::string& name,
                 const std::vector<std::string>& classes, int each = 2) {
  for (const std::string& c : classes)
    for (int i = 0; i < each; ++i)
      put_image(folder, name + "/" + c + "/" + std::to_string(i) + ".png", 50 + 9 * i);
}

std::string failure(const TempFolder& folder, const std::string& text) {
  put_text(folder, "d.toml", text);
  DatasetOptions o;
  o.path = folder / "d.toml";
  try {
    load_dataset(o);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

Dataset load(const std::string& path, const std::string& preset, const std::string& harmonise) {
  DatasetOptions o;
  o.path = path;
  o.preset = preset;
  o.harmonise = harmonise;
  return load_dataset(o);
}

}  // namespace

TEST_CASE("domains: a TOML file names data sets with stain and scale") {
  TempFolder folder;
  put_classes(folder, "one", {"a", "b"});
  put_classes(folder, "two", {"a", "c"});
  put_text(folder, "map.csv", "dataset,raw,harmonised\n*,a,a\n*,b,b\n*,c,\n");
  put_text(folder, "d.toml",
           "[[domain]]\nname = \"first\"\npath = \"one\"\nstain = \"Wright\"\n"
           "microns_per_pixel = 0.1\n"
           "[[domain]]\npath = \"two\"\npixels_per_micron = 8\nharmonise = \"map.csv\"\n"
           "[[domain]]\nname = \"third\"\npath = \"two\"\nfield_um = 25\nfield_pixels = 100\n");
  DatasetOptions o;
  o.path = folder / "d.toml";
  const Dataset d = load_dataset(o);
  CHECK(d.domains == std::vector<std::string>{"first", "two", "third"});
  CHECK(d.stains == std::vector<std::string>{"Wright", "", ""});
  const auto facts = domain_facts(d);
  REQUIRE(facts.size() == 3);
  CHECK(*facts[0].scale_min == 0.1);
  CHECK(*facts[1].scale_max == 0.125);
  CHECK(*facts[2].scale_max == 0.25);
  CHECK(facts[1].samples == 2);
  CHECK(facts[1].classes == 1);
  CHECK(facts[2].samples == 4);
  REQUIRE(d.labels.size() == 6);
  CHECK(d.labels[3].raw == "c");
  CHECK(d.labels[3].name == "");
  CHECK(d.labels[3].domain == 1);
  CHECK(d.labels[3].count == 2);
}

TEST_CASE("domains: faults of the TOML file name the place") {
  TempFolder folder;
  put_classes(folder, "one", {"a", "b"});
  const auto contains = [&](const std::string& text, const std::string& part) {
    const std::string what = failure(folder, text);
    CHECK_MESSAGE(what.find(part) != std::string::npos, what);
  };
  contains("", "no domain");
  contains("domain = 3\n", "no domain");
  contains("[[domain]]\nname = \"x\"\n", "without a path");
  contains("[[domains]]\npath = \"one\"\n", "unknown key domains");
  contains("[[domain]]\npath = \"one\"\nstian = \"x\"\n", "did you mean stain?");
  contains("[[domain]]\npath = \"one\"\nstian = \"x\"\n", "d.toml:3:1");
  contains("[[domain]]\npath = 3\n", "path is not text");
  contains("[[domain]]\npath = \"one\"\nmicrons_per_pixel = 0\n", "not above 0");
  contains("[[domain]]\npath = \"one\"\nmicrons_per_pixel = -1.5\n", "not above 0");
  contains("[[domain]]\npath = \"one\"\nmicrons_per_pixel = inf\n", "not above 0");
  contains("[[domain]]\npath = \"one\"\nmicrons_per_pixel = \"x\"\n", "not above 0");
  contains("[[domain]]\npath = \"one\"\nfield_um = 3\n", "field_um without field_pixels");
  contains("[[domain]]\npath = \"one\"\nmicrons_per_pixel = 1\npixels_per_micron = 1\n",
           "several ways");
  contains("[[domain]]\npath = \"d.toml\"\n", "inside a list");
  contains("[[domain]]\npath = \"one\"\nname = \"x\"\n[[domain]]\npath = \"one\"\nname = \"x\"\n",
           "two domains of the name x");
  contains("[[domain]]\npath = \"none\"\n", "no such file or folder");
  contains("[[domain\n", "d.toml:");
  DatasetOptions o;
  o.path = folder / "absent.toml";
  CHECK_THROWS_AS(load_dataset(o), FileError);
}

TEST_CASE("domains: a manifest says stain and scale per domain") {
  TempFolder folder;
  for (const char* name : {"a", "b", "c"}) put_image(folder, std::string(name) + ".png");
  put_text(folder, "cells.csv",
           "path,label,domain,stain,microns_per_pixel\na.png,x,north,Giemsa,0.1\n"
           "b.png,y,south,,\nc.png,x,north,Wright,0.2\n");
  DatasetOptions o;
  o.path = folder / "cells.csv";
  const Dataset d = load_dataset(o);
  CHECK(d.stain_of(0) == "Giemsa");
  CHECK(d.stain_of(1) == "");
  CHECK(d.stain_of(7) == "");
  CHECK(note_count(d.notes, "stain.mixed") == 1);
  const auto facts = domain_facts(d);
  CHECK(*facts[0].scale_min == 0.1);
  CHECK(*facts[0].scale_max == 0.2);
  CHECK(facts[1].without_scale == 1);
  CHECK(!facts[1].scale_min);
  require_scale(d, 0);
  CHECK_THROWS_WITH_AS(require_scale(d, 25), doctest::Contains("south (1 of 1 images)"),
                       ConfigError);
  o.microns_per_pixel = 0.2;
  const Dataset scaled = load_dataset(o);
  require_scale(scaled, 25);
  CHECK(note_count(scaled.notes, "scale.replaced") == 1);
}

TEST_CASE("domains: what methods cannot use is noted") {
  ClassTable t{{"a", "b", "c"}, {"p", "q"}, {"all"}, {5, 0, 1, 0, 7, 3}};
  const auto notes = domain_notes(t);
  CHECK(note_count(notes, "domain.single") == 0);
  CHECK(note_count(notes, "domain.one_class") == 1);  // q
  CHECK(note_count(notes, "pair.single") == 1);       // p/b
  CHECK(note_count(notes, "class.one_domain") == 2);  // a, b
  t = {{"a", "b"}, {"p"}, {"all"}, {2, 2}};
  CHECK(note_count(domain_notes(t), "domain.single") == 1);
  CHECK(note_count(domain_notes(t), "class.one_domain") == 0);
  t = {{"a"}, {"p", "q"}, {"all"}, {2, 0}};
  CHECK(note_count(domain_notes(t), "domain.empty") == 1);
}

TEST_CASE("harmonise: the tables that are shipped are the files users edit") {
  for (const std::string& name : harmonisation_names()) {
    const std::string file =
        read_file(std::string(CYTOGRAD_SOURCE_DIR) + "/models/harmonise/" + name + ".csv");
    CHECK(harmonisation_csv(name) == file);
    const CsvTable table(file, name);
    std::set<std::string> classes;
    for (size_t row = 0; row < table.rows(); ++row)
      if (const auto v = table.value(row, table.column("harmonised")))
        classes.insert(std::string(*v));
    CHECK(classes.size() == static_cast<size_t>(std::stoi(name)));
  }
  CHECK_THROWS_AS(harmonisation_csv("12"), ConfigError);
  TempFolder folder;
  put_classes(folder, "mat/AML-Cytomorphology", {"BAS", "EOS", "LYT", "MYO", "MOB"});
  const Dataset built_in = load(folder / "mat", "matek19", "13");
  put_text(folder, "copy.csv", harmonisation_csv("13"));
  const Dataset copied = load(folder / "mat", "matek19", folder / "copy.csv");
  CHECK(copied.classes == built_in.classes);
  CHECK(copied.size() == 10);
  CHECK(load(folder / "mat", "matek19", "11").size() == 8);  // without MOB
}

TEST_CASE("harmonise: rows for a domain come before those of its layout, and these before *") {
  TempFolder folder;
  put_classes(folder, "one", {"a", "b"});
  put_text(folder, "map.csv",
           "dataset,raw,harmonised,\n*,a,general,\nfolder,a,layout,\none,a,domain,\n"
           "folder,b,layout,\n*,b,general,\n");
  const Dataset d = load(folder / "one", "folder", folder / "map.csv");
  CHECK(d.classes == std::vector<std::string>{"layout", "domain"});
  CHECK(count_class(d, "domain") == 2);
  // A class of the map that no domain has is none of the data set's.
  put_text(folder, "map.csv", "dataset,raw,harmonised\n*,a,x\n*,b,y\n*,c,z\n");
  const Dataset less = load(folder / "one", "folder", folder / "map.csv");
  CHECK(less.classes == std::vector<std::string>{"x", "y"});
  CHECK(note_count(less.notes, "class.empty") == 1);
  // Blanks around labels, as in the published table, do not matter.
  put_text(folder, "map.csv", "dataset,raw,harmonised\n*, a ,x \n*,b,\n");
  const Dataset trimmed = load(folder / "one", "folder", folder / "map.csv");
  CHECK(trimmed.classes == std::vector<std::string>{"x"});
  CHECK(note_count(trimmed.notes, "label.dropped") == 2);
}

TEST_CASE("harmonise: faults of a map") {
  TempFolder folder;
  put_classes(folder, "one", {"a", "b"});
  const auto contains = [&](const std::string& text, const std::string& part) {
    put_text(folder, "map.csv", text);
    CHECK_THROWS_WITH_AS(load(folder / "one", "folder", folder / "map.csv"),
                         doctest::Contains(part.c_str()), DataError);
  };
  contains("dataset,raw,harmonised\n*,a,x\n", "no row for class \"b\" of folder (domain one)");
  contains("dataset,raw,harmonised\n*,a,x\n*,a,y\n", "\"a\" twice for *");
  contains("dataset,raw,harmonised\n*,,x\n", "blank raw label");
  contains("dataset,raw,harmonised\n*,a,\n*,b,\n", "no row that keeps a class");
  contains("dataset,raw\n*,a\n", "no column \"harmonised\"");
  contains("dataset,raw,harmonised\nfolderr,a,x\nfolderr,b,x\n", "but for folderr");
  contains("dataset,raw,harmonised\n*,a,x\n*,bb,x\n", "no row for class \"b\"");
  CHECK_THROWS_WITH_AS(load(folder / "one", "folder", "14"),
                       doctest::Contains("5, 11, 13 or a CSV file"), ConfigError);
  CHECK_THROWS_AS(load(folder / "one", "folder", folder / "absent.csv"), FileError);
}

TEST_CASE("harmonise 5 and 13 know the sets of segmentation_WBC and BCCD") {
  TempFolder folder;
  put_text(folder, "wbc/Class Labels of Dataset 1.csv", "image,label\n1,1\n2,2\n3,3\n4,4\n5,5\n");
  for (int i = 1; i <= 5; ++i)
    put_image(folder, "wbc/Dataset 1/00" + std::to_string(i) + ".bmp", 40 * i);
  const Dataset five = load(folder / "wbc", "wbc-seg", "5"),
                thirteen = load(folder / "wbc", "wbc-seg", "13");
  CHECK(five.size() == 5);
  CHECK(five.stain_of(0) == "rapid stain");
  CHECK(thirteen.size() == 4);  // neither band nor segmented is known of the neutrophil
  CHECK(count_class(thirteen, "lymphocyte_typical") == 1);
  CHECK(count_class(load(folder / "wbc", "wbc-seg", "11"), "lymphocyte") == 1);
}

// Trap (e) of the published set.
TEST_CASE("ace_subset main leaves the smaller cluster of colours out") {
  TempFolder folder;
  const auto put = [&](const std::string& name, int red, int blue) {
    const std::string path = folder / ("ace/" + name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    Image image(8, 8, 3, 150);
    for (size_t i = 0; i < image.pixels.size(); i += 3) {
      image.pixels[i] = static_cast<uint8_t>(red);
      image.pixels[i + 2] = static_cast<uint8_t>(blue);
    }
    std::ofstream(path, std::ios::binary) << encode_png(image);
  };
  for (const char* c : {"basophil", "eosinophil", "ig", "neutrophil"})
    for (int i = 0; i < 6; ++i)
      put(std::string(c) + "/" +
              (c[0] == 'i'   ? "MY_"
               : c[0] == 'n' ? "SNE_"
                             : "X_") +
              std::to_string(i) + ".png",
          200 + 2 * i, 180 - i);
  for (int i = 0; i < 3; ++i) put("basophil/BA_9" + std::to_string(i) + ".png", 120 + i, 230);
  DatasetOptions o;
  o.path = folder / "ace";
  o.preset = "acevedo20";
  CHECK(load_dataset(o).size() == 27);
  o.ace_subset = "main";
  const Dataset d = load_dataset(o);
  CHECK(d.size() == 24);
  CHECK(note_count(d.notes, "ace.subset") == 3);
  for (const Sample& s : d.samples) CHECK(s.path.find("BA_9") == std::string::npos);
  o.ace_subset = "half";
  CHECK_THROWS_AS(load_dataset(o), ConfigError);
}

TEST_CASE("ace_subset main of images of one colour keeps them all") {
  TempFolder folder;
  put_classes(folder, "ace", {"basophil", "eosinophil", "ig", "neutrophil"}, 1);
  DatasetOptions o;
  o.path = folder / "ace";
  o.preset = "pbc";
  o.ace_subset = "main";
  CHECK(load_dataset(o).size() == 4);
}

// Domain generalization oracle P3.
TEST_CASE("a line of 20 um is as long in every domain") {
  Preprocess pre;
  pre.field_um = 25;
  pre.size = 224;
  pre.mean = {0, 0, 0};
  pre.std = {1, 1, 1};
  std::vector<double> lengths;
  struct Scanner {
    int64_t side;
    double pixels_per_um;
  };
  for (const Scanner scanner :
       {Scanner{400, 400.0 / 29}, Scanner{360, 10}, Scanner{363, 10}, Scanner{288, 11.52}}) {
    const int64_t side = scanner.side;
    const double pixels_per_um = scanner.pixels_per_um;
    Image image(side, side, 3, 0);
    const int64_t length = std::llround(20 * pixels_per_um), from = (side - length) / 2;
    for (int64_t y = side / 2 - 2; y < side / 2 + 2; ++y)
      for (int64_t x = from; x < from + length; ++x)
        for (int c = 0; c < 3; ++c) image.at(y, x)[c] = 255;
    Sample s;
    s.microns_per_pixel = 1 / pixels_per_um;
    std::vector<float> out(224 * 224 * 3);
    prepare(image, s, pre, {}, Rng(0), out.data());
    // Ends that fall between pixels count by their share.
    float most = 0;
    double sum = 0;
    for (int64_t x = 0; x < 224; ++x) {
      const float v = out[static_cast<size_t>(112 * 224 + x) * 3];
      most = std::max(most, v);
      sum += static_cast<double>(v);
    }
    const double lit = sum / static_cast<double>(most);
    CAPTURE(side);
    CHECK(std::abs(lit - 20 * 8.96) <= 1);
    lengths.push_back(lit);
  }
  const auto [low, high] = std::minmax_element(lengths.begin(), lengths.end());
  CHECK(*high - *low <= 1);
}

// Domain generalization oracle P4, and trap (a).
TEST_CASE("transparent borders leave no black in the crop") {
  TempFolder folder;
  Image image(40, 40, 4, 0);
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t x = 7; x < 40; ++x)
      for (int c = 0; c < 4; ++c) image.at(y, x)[c] = c == 3 ? 255 : 170;
  const std::string path = folder / "cell.png";
  std::ofstream(path, std::ios::binary) << encode_png(image);
  Sample s;
  s.path = path;
  s.crop_to_opaque = true;
  s.microns_per_pixel = 0.1;
  const Image read = read_sample(s);
  CHECK(read.width == 33);
  Preprocess pre;
  pre.field_um = 6;  // wider than the image: continued by reflection
  pre.size = 32;
  const Image shown = preview(read, s, pre, {}, Rng(0));
  for (const uint8_t v : shown.pixels) REQUIRE(v == 170);
}
