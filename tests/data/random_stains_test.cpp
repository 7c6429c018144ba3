#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/synth/cells.h"
#include "cytograd/synth/stains.h"

using namespace cytograd;
using namespace cytograd::synth;

TEST_CASE("synth cells: random stains differ between pictures and stay within reason") {
  std::map<std::string, int> seen;
  float smallest = 1000, largest = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    const Stain s = random_stain(3, 1, i);
    CHECK(s.name == "random");
    for (const Rgb& row : s.absorbance)
      for (const float v : row) CHECK((v > 0 && v < 8));
    for (const float v : s.background) CHECK((v > 0.4F && v <= 1));
    CHECK((s.field_um >= 18 && s.field_um <= 40));
    smallest = std::min(smallest, s.field_um);
    largest = std::max(largest, s.field_um);
    ++seen[std::to_string(s.background[0]) + std::to_string(s.absorbance[0][1])];
  }
  CHECK(seen.size() == 200);
  CHECK(smallest < 20);
  CHECK(largest > 36);
  CHECK(random_stain(3, 1, 7).absorbance == random_stain(3, 1, 7).absorbance);
  CHECK(random_stain(3, 1, 7).absorbance != random_stain(4, 1, 7).absorbance);
  CHECK(random_stain(3, 1, 7).absorbance != random_stain(3, 2, 7).absorbance);
  // The same cell, drawn in two laboratories.
  const CellSpec spec{CellClass::segmented, 0, 5, 2, 48};
  const CellPicture one = draw_cell(spec, random_stain(3, 1, 1)),
                    two = draw_cell(spec, random_stain(3, 1, 2));
  CHECK(one.lobes == two.lobes);
  CHECK(one.maturity == two.maturity);
  CHECK(one.image.pixels != two.image.pixels);
  CHECK(draw_cell(spec, stains()[0]).image.pixels == draw_cell(spec).image.pixels);
}

TEST_CASE("synth cells: a data set under random stains") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(CYTOGRAD_BINARY_DIR) / "synth_random_test";
  fs::remove_all(folder);
  CellSetOptions options;
  options.output = folder;
  options.count = 45;
  options.size = 24;
  options.random_stains = true;
  const CellSet set = write_cells(options);
  CHECK(set.images == 45);
  const CsvTable table = read_csv(set.manifest.string());
  std::map<std::string, int> scales;
  for (size_t r = 0; r < table.rows(); ++r) {
    CHECK(table.at(r, table.column("domain")) == "random");
    ++scales[std::string(table.at(r, table.column("microns_per_pixel")))];
  }
  CHECK(scales.size() > 40);
  const std::string name(table.at(4, table.column("path")));
  const std::string earlier = read_file((folder / name).string());
  options.force = true;
  write_cells(options);
  CHECK(read_file((folder / name).string()) == earlier);
  options.domains = 2;
  CHECK_THROWS_WITH_AS(write_cells(options), doctest::Contains("--random-stains"), ConfigError);
  fs::remove_all(folder);
}
