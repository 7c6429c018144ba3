#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "cytograd/synth/cells.h"
#include "cytograd/synth/smears.h"

using namespace cytograd;
using namespace cytograd::synth;

namespace {

// Means over a few cells of one class.
struct ClassFigures {
  double cell_um2 = 0, nc = 0, lobes = 0;
  double cytoplasm[3] = {}, nucleus[3] = {};  // 0..255
};

ClassFigures measure(CellClass cell, int count = 24, int domain = 0) {
  ClassFigures f;
  for (int i = 0; i < count; ++i) {
    const CellPicture p = draw_cell({cell, domain, 5, static_cast<uint64_t>(i), 96});
    double pixels[2] = {}, sums[2][3] = {};
    for (int64_t k = 0; k < 96 * 96; ++k) {
      const uint8_t m = p.mask.pixels[static_cast<size_t>(k)];
      if (m == 0) continue;
      const int part = m == 255;
      pixels[part] += 1;
      for (int c = 0; c < 3; ++c) sums[part][c] += p.image.pixels[static_cast<size_t>(3 * k + c)];
    }
    f.cell_um2 += (pixels[0] + pixels[1]) * p.microns_per_pixel * p.microns_per_pixel / count;
    f.nc += pixels[1] / (pixels[0] + pixels[1]) / count;
    f.lobes += static_cast<double>(p.lobes) / count;
    for (int c = 0; c < 3; ++c) {
      f.cytoplasm[c] += sums[0][c] / pixels[0] / count;
      f.nucleus[c] += sums[1][c] / pixels[1] / count;
    }
  }
  return f;
}

const std::vector<ClassFigures>& figures() {
  static const std::vector<ClassFigures> all = [] {
    std::vector<ClassFigures> rows;
    for (int c = 0; c < cell_class_count; ++c) rows.push_back(measure(static_cast<CellClass>(c)));
    return rows;
  }();
  return all;
}

const ClassFigures& of(CellClass cell) { return figures()[static_cast<size_t>(cell)]; }

double nuclear_parts(const Image& mask) {
  // Connected components of the nucleus, four neighbours, at least 6 pixels.
  std::vector<uint8_t> left(mask.pixels);
  int parts = 0;
  for (int64_t start = 0; start < mask.height * mask.width; ++start) {
    if (left[static_cast<size_t>(start)] != 255) continue;
    std::vector<int64_t> stack{start};
    left[static_cast<size_t>(start)] = 0;
    int size = 0;
    while (!stack.empty()) {
      const int64_t at = stack.back();
      stack.pop_back();
      ++size;
      for (const int64_t step : {int64_t{-1}, int64_t{1}, -mask.width, mask.width}) {
        const int64_t next = at + step;
        if (next < 0 || next >= mask.height * mask.width || left[static_cast<size_t>(next)] != 255)
          continue;
        left[static_cast<size_t>(next)] = 0;
        stack.push_back(next);
      }
    }
    parts += size >= 6;
  }
  return parts;
}

}  // namespace

TEST_CASE("synth cell: names are those of the embedding guide") {
  CHECK(name(CellClass::blast) == "blast");
  CHECK(name(CellClass::ortho_erythroblast) == "ortho_erythroblast");
  for (int c = 0; c < cell_class_count; ++c)
    CHECK(cell_class(name(static_cast<CellClass>(c))) == static_cast<CellClass>(c));
  CHECK_THROWS_WITH_AS(cell_class("monocite"), doctest::Contains("did you mean monocyte?"),
                       ConfigError);
  CHECK_THROWS_AS(draw_cell({CellClass::blast, 0, 0, 0, 8}), ValueError);
  CHECK_THROWS_AS(draw_cell({CellClass::blast, 99}), ValueError);
}

TEST_CASE("synth cell: the same picture for any number of threads") {
  const int before = num_threads();
  std::vector<Image> first;
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    std::vector<CellPicture> pictures(30);
    parallel_for(30, 1, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i)
        pictures[static_cast<size_t>(i)] =
            draw_cell({static_cast<CellClass>(i % 15), static_cast<int>(i % 4), 9,
                       static_cast<uint64_t>(i), 64});
    });
    if (first.empty())
      for (const auto& p : pictures) first.push_back(p.image);
    for (size_t i = 0; i < 30; ++i) CHECK(pictures[i].image == first[i]);
  }
  set_num_threads(before);
  CHECK(!(draw_cell({CellClass::band, 0, 1, 0, 64}).image ==
          draw_cell({CellClass::band, 0, 2, 0, 64}).image));
}

TEST_CASE(
    "synth cell: masks fit the image, lie inside it, and do not depend on the stain's colours") {
  for (int c = 0; c < cell_class_count; ++c) {
    CAPTURE(c);
    for (int domain = 0; domain < static_cast<int>(stains().size()); ++domain) {
      const CellPicture p = draw_cell({static_cast<CellClass>(c), domain, 3, 1, 96});
      CHECK(p.image.height == 96);
      CHECK((p.mask.height == 96 && p.mask.width == 96 && p.mask.channels == 1));
      int64_t nucleus = 0, cytoplasm = 0, other = 0, border = 0;
      for (int64_t y = 0; y < 96; ++y)
        for (int64_t x = 0; x < 96; ++x) {
          const uint8_t m = *p.mask.at(y, x);
          other += m != 0 && m != 128 && m != 255;
          nucleus += m == 255, cytoplasm += m == 128;
          border += m != 0 && (y == 0 || x == 0 || y == 95 || x == 95);
        }
      CHECK(nucleus > 40);
      CHECK(cytoplasm > 40);
      CHECK(other == 0);
      CHECK(border == 0);
      CHECK(std::abs(p.maturity - stage(static_cast<CellClass>(c))) <= 0.5);
    }
  }
}

TEST_CASE("synth cell: proportions of the classes") {
  using enum CellClass;
  // Nucleus to cytoplasm falls with maturation in each lineage.
  for (const auto& lineage :
       {std::vector{blast, promyelocyte, myelocyte, metamyelocyte, band, segmented},
        std::vector{proerythroblast, baso_erythroblast, poly_erythroblast, ortho_erythroblast},
        std::vector{promonocyte, monocyte}})
    for (size_t i = 1; i < lineage.size(); ++i) {
      CAPTURE(name(lineage[i]));
      CHECK(of(lineage[i]).nc < of(lineage[i - 1]).nc);
    }
  CHECK(of(lymphocyte).nc > 0.65);
  CHECK(of(promyelocyte).cell_um2 > of(myelocyte).cell_um2);
  CHECK(of(monocyte).cell_um2 > of(segmented).cell_um2);
  CHECK(of(lymphocyte).cell_um2 < of(segmented).cell_um2);
  CHECK(of(proerythroblast).cell_um2 > 2 * of(ortho_erythroblast).cell_um2);
}

TEST_CASE("synth cell: colours of the classes") {
  using enum CellClass;
  const auto ratio = [](const ClassFigures& f, int a, int b) {
    return f.cytoplasm[a] / f.cytoplasm[b];
  };
  // Eosinophil granules are orange: much red, little blue.
  for (int c = 0; c < cell_class_count; ++c)
    if (static_cast<CellClass>(c) != eosinophil)
      CHECK(ratio(of(eosinophil), 0, 2) > 1.25 * ratio(figures()[static_cast<size_t>(c)], 0, 2));
  // Basophilic erythroblasts are blue and lose it as they ripen.
  CHECK(ratio(of(baso_erythroblast), 2, 0) > 1.3);
  CHECK(ratio(of(poly_erythroblast), 2, 0) < ratio(of(baso_erythroblast), 2, 0));
  CHECK(ratio(of(ortho_erythroblast), 2, 0) < 1);
  CHECK(ratio(of(segmented), 2, 0) < ratio(of(promyelocyte), 2, 0));
  // The violet granules of a basophil make its cytoplasm the darkest of the granulocytes.
  CHECK(of(basophil).cytoplasm[1] < 0.75 * of(segmented).cytoplasm[1]);
  // The nucleus is darker than the cytoplasm; the pyknotic one darkest of its line.
  for (const ClassFigures& f : figures()) CHECK(f.nucleus[1] < f.cytoplasm[1]);
  CHECK(of(ortho_erythroblast).nucleus[0] < of(proerythroblast).nucleus[0]);
}

TEST_CASE("synth cell: lobes") {
  CHECK(of(CellClass::band).lobes == doctest::Approx(1));
  CHECK(of(CellClass::segmented).lobes > 2.6);
  CHECK(of(CellClass::segmented).lobes < 4);
  CHECK(of(CellClass::eosinophil).lobes < 2.6);
  for (int i = 0; i < 20; ++i) {
    // One piece where the class has one piece; threads between lobes may be thinner than a pixel.
    CHECK(nuclear_parts(draw_cell({CellClass::band, 0, 8, static_cast<uint64_t>(i), 128}).mask) ==
          1);
    const CellPicture p = draw_cell({CellClass::segmented, 0, 8, static_cast<uint64_t>(i), 128});
    CHECK(nuclear_parts(p.mask) >= 1);
    CHECK(nuclear_parts(p.mask) <= p.lobes);
  }
}

TEST_CASE("synth cell: domains look different, scales are true") {
  const ClassFigures a = measure(CellClass::monocyte, 12, 0),
                     b = measure(CellClass::monocyte, 12, 2);
  CHECK(std::abs(a.cytoplasm[2] - b.cytoplasm[2]) > 8);
  // The same cells, so the same areas in micrometres whatever the magnification.
  CHECK(std::abs(a.cell_um2 / b.cell_um2 - 1) < 0.03);
}

TEST_CASE("synth cells: class counts") {
  CHECK(class_counts(30, 3, 1) == std::vector<int64_t>{10, 10, 10});
  CHECK(class_counts(31, 3, 1) == std::vector<int64_t>{11, 10, 10});
  const auto counts = class_counts(1500, 15, 30);
  CHECK(std::abs(static_cast<double>(counts.front()) / static_cast<double>(counts.back()) - 30) <
        3);
  int64_t sum = 0;
  for (const int64_t c : counts) sum += c;
  CHECK(sum == 1500);
  CHECK(class_counts(15, 15, 1000) == std::vector<int64_t>(15, 1));
  CHECK_THROWS_AS(class_counts(14, 15, 1), ConfigError);
  CHECK_THROWS_AS(class_counts(15, 15, 0.5), ConfigError);
}

TEST_CASE("synth cells: a data set on disk") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(CYTOGRAD_BINARY_DIR) / "synth_cells_test";
  fs::remove_all(folder);
  CellSetOptions options;
  options.output = folder / "set";
  options.count = 24;
  options.size = 32;
  options.domains = 2;
  options.classes = {CellClass::eosinophil, CellClass::band};
  options.masks = true;
  options.seed = 4;
  const CellSet set = write_cells(options);
  CHECK(set.images == 48);
  const CsvTable table = read_csv(set.manifest.string());
  REQUIRE(table.rows() == 48);
  std::map<std::string, std::string> role_of_group;
  std::map<std::string, int> roles;
  for (size_t r = 0; r < table.rows(); ++r) {
    const auto at = [&](const char* column) {
      return std::string(table.at(r, table.column(column)));
    };
    const Image image = read_image((options.output / at("path")).string());
    const Image mask =
        read_image((options.output / at("mask")).string(), {.form = PixelForm::keep});
    CHECK((image.height == 32 && mask.height == 32 && mask.channels == 1));
    CHECK(std::abs(table.number(r, table.column("microns_per_pixel")) * 32 -
                   stain(at("domain")).field_um) < 1e-3);
    const auto [seen, fresh] = role_of_group.emplace(at("group"), at("split"));
    CHECK(seen->second == at("split"));
    ++roles[at("split")];
  }
  CHECK(roles.size() == 3);
  CHECK(roles["train"] > roles["test"]);

  CHECK_THROWS_WITH_AS(write_cells(options), doctest::Contains("not empty"), FileError);
  const std::string earlier = read_file(set.manifest.string());
  options.force = true;
  const int threads = num_threads();
  set_num_threads(1);
  write_cells(options);
  CHECK(read_file(set.manifest.string()) == earlier);
  set_num_threads(threads);
  options.domains = 1;
  options.format = "jpg";
  write_cells(options);
  CHECK(!fs::exists(options.output / "pappenheim"));
  CHECK(fs::exists(options.output / "band" / "band_00012.jpg"));
  options.output = folder;
  CHECK_THROWS_AS(write_cells(options), FileError);
  fs::remove_all(folder);
}

TEST_CASE("synth smear: boxes lie inside and agree with masks and instances") {
  for (int domain = 0; domain < 4; ++domain) {
    CAPTURE(domain);
    SmearSpec spec;
    spec.domain = domain;
    spec.index = static_cast<uint64_t>(domain);
    const Smear smear = draw_smear(spec);
    CHECK((smear.image.width == 640 && smear.image.height == 480));
    CHECK((smear.mask.width == 640 && smear.mask.height == 480 && smear.mask.channels == 1));
    CHECK((smear.instances.width == 640 && smear.instances.height == 480));
    std::map<std::string, int> count;
    for (const SmearObject& o : smear.objects) {
      ++count[o.name];
      CHECK((0 <= o.x1 && o.x1 < o.x2 && o.x2 < 640));
      CHECK((0 <= o.y1 && o.y1 < o.y2 && o.y2 < 480));
    }
    CHECK(count["WBC"] >= 1);
    CHECK(count["RBC"] > 8);
    int differ = 0;
    for (size_t i = 0; i < smear.instances.labels.size(); ++i)
      differ += (smear.instances.labels[i] != 0) != (smear.mask.pixels[i] != 0);
    CHECK(differ == 0);
    for (const SmearObject& o : smear.objects) {
      if (o.name != "WBC") continue;
      // Every pixel of the instance is in its box, and the box is no larger.
      int x1 = 640, x2 = -1, y1 = 480, y2 = -1;
      for (int y = 0; y < 480; ++y)
        for (int x = 0; x < 640; ++x)
          if (smear.instances.labels[static_cast<size_t>(y * 640 + x)] == o.instance)
            x1 = std::min(x1, x), x2 = std::max(x2, x), y1 = std::min(y1, y), y2 = std::max(y2, y);
      CHECK((x1 == o.x1 && x2 == o.x2 && y1 == o.y1 && y2 == o.y2));
    }
    CHECK(draw_smear(spec).image == smear.image);
  }
  SmearSpec narrow;
  narrow.width = 10;
  CHECK_THROWS_AS(draw_smear(narrow), ValueError);
}

TEST_CASE("synth smears: a data set on disk") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(CYTOGRAD_BINARY_DIR) / "synth_smears_test";
  fs::remove_all(folder);
  SmearSetOptions options;
  options.output = folder;
  options.count = 7;
  options.field.width = 160, options.field.height = 120, options.field.microns_per_pixel = 0.3;
  options.format = "png";
  const SmearSet set = write_smears(options);
  CHECK(set.images == 7);
  CHECK(set.white_cells >= 7);
  const CsvTable table = read_csv(set.table.string());
  CHECK(static_cast<int64_t>(table.rows()) == set.white_cells);
  for (size_t r = 0; r < table.rows(); ++r) {
    const std::string mask = (folder / std::string(table.at(r, table.column("mask")))).string();
    CHECK(read_image(mask, {.form = PixelForm::keep}).width == 160);
    CHECK(table.number(r, table.column("x2")) <= 160);
    CHECK(table.number(r, table.column("x1")) < table.number(r, table.column("x2")));
  }
  const std::string xml = read_file((folder / "Annotations" / "smear_00001.xml").string());
  CHECK(xml.find("<name>WBC</name>") != std::string::npos);
  CHECK(xml.find("<filename>smear_00001.png</filename>") != std::string::npos);
  size_t lines = 0;
  for (const char* role : {"train", "val", "test"}) {
    const std::string list =
        read_file((folder / "ImageSets" / "Main" / (std::string(role) + ".txt")).string());
    CHECK(!list.empty());
    lines += static_cast<size_t>(std::count(list.begin(), list.end(), '\n'));
  }
  CHECK(lines == 7);
  const std::string earlier = read_file((folder / "JPEGImages" / "smear_00003.png").string());
  CHECK_THROWS_AS(write_smears(options), FileError);
  options.force = true;
  write_smears(options);
  CHECK(read_file((folder / "JPEGImages" / "smear_00003.png").string()) == earlier);
  fs::remove_all(folder);
}
