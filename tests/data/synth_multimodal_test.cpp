#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/single_cells.h"
#include "cytograd/synth/multimodal.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::synth;
namespace fs = std::filesystem;

namespace {

MultimodalOptions small(const std::string& folder) {
  MultimodalOptions o;
  o.output = folder;
  o.cells = 220, o.genes = 60, o.drivers = 3;
  o.images = 16, o.fields = 2, o.size = 32, o.seed = 7;
  return o;
}

// Every file below a folder by its relative name.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[entry.path().lexically_relative(folder).generic_string()] =
          read_file(entry.path().string());
  return files;
}

}  // namespace

TEST_CASE("synth multimodal: genes along the paths") {
  RnaOptions o{.cells = 2000, .genes = 200, .drivers = 4, .seed = 3};
  o.lineages = {Branch::neutrophil, Branch::monocyte};
  o.from = 0.3;
  const RnaSet set = make_rna(o);
  for (const RnaCell& cell : set.cells) {
    CHECK(cell.pseudotime >= 0.3);
    CHECK((cell.branch == Branch::myeloid || cell.branch == Branch::neutrophil ||
           cell.branch == Branch::monocyte));
  }
  const std::vector<PathGene> genes = path_genes(set, o.effect);
  REQUIRE(genes.size() == 400);
  std::map<std::string, int> drivers, weak, still;
  for (const PathGene& g : genes) {
    ++(g.driver ? drivers : g.direction != 0 ? weak : still)[g.path];
    const auto gene = std::find_if(set.genes.begin(), set.genes.end(),
                                   [&](const RnaGene& r) { return r.name == g.gene; });
    REQUIRE(gene != set.genes.end());
    CHECK(g.planted == gene->driver);
    if (g.direction != 0) CHECK(g.direction == gene->direction);
    const bool granulocyte = g.path == "granulopoiesis";
    const bool of_path =
        g.planted && (g.branch == (granulocyte ? Branch::neutrophil : Branch::monocyte) ||
                      g.branch == Branch::myeloid);
    CHECK(g.driver == of_path);
    CHECK(std::abs(g.change) <= o.effect + 1e-12);
  }
  // Those of the path's branch and of the myeloid one; of the stem cells, which still fall a
  // little; the others.
  for (const KnownPath& path : known_paths()) {
    CHECK(drivers[path.name] == 16);
    CHECK(weak[path.name] == 8);
    CHECK(still[path.name] == 176);
  }
}

TEST_CASE("synth multimodal: the counts of a driver change as the truth says") {
  RnaOptions o{.cells = 3000, .genes = 200, .drivers = 4, .seed = 4};
  o.lineages = {Branch::neutrophil, Branch::monocyte};
  o.from = 0.3;
  const RnaSet set = make_rna(o);
  const std::vector<PathGene> genes = path_genes(set, o.effect);
  for (size_t g = 0; g < set.genes.size(); ++g) {  // the first path, in order of the genes
    double sum[2] = {}, size[2] = {};
    const std::vector<float> counts = set.column(static_cast<int64_t>(g));
    for (size_t i = 0; i < set.cells.size(); ++i) {
      const std::string& type = set.cells[i].cell_type;
      if (type != "GMP" && type != "segmented") continue;
      sum[type == "segmented"] += counts[i];
      size[type == "segmented"] += set.cells[i].size_factor;
    }
    REQUIRE(genes[g].gene == set.genes[g].name);
    CAPTURE(genes[g].gene);
    const double change = std::log((sum[1] / size[1]) / (sum[0] / size[0]));
    CHECK(std::abs(change - genes[g].change) < 0.45);
  }
}

TEST_CASE("synth multimodal: a folder, the same bytes for any number of threads") {
  const TempFolder folder;
  const int before = num_threads();
  set_num_threads(1);
  const MultimodalSet set = write_multimodal(small(folder / "one"));
  set_num_threads(3);
  write_multimodal(small(folder / "three"));
  set_num_threads(before);
  CHECK(set.images == 16);
  CHECK(set.fields == 2);
  CHECK(set.cells == 220);
  CHECK(set.drivers == std::vector<std::pair<std::string, int64_t>>{{"granulopoiesis", 12},
                                                                    {"monocytopoiesis", 12}});
  const auto files = contents(folder / "one");
  CHECK(files == contents(folder / "three"));
  for (const char* name : {"cells/manifest.csv", "cells/blast/blast_00001.png",
                           "cells/masks/segmented/segmented_00002.png", "fields/cells.csv",
                           "fields/instances/smear_00002.png", "rna.h5ad", "map.toml"})
    CHECK_MESSAGE(files.count(name) == 1, name);
  const CsvTable truth = read_csv(folder / "one/truth.csv");
  CHECK(truth.header() ==
        std::vector<std::string>{"path", "gene", "driver", "direction", "branch", "change"});
  CHECK(truth.rows() == 120);
  const SingleCells cells = read_single_cells(folder / "one/rna.h5ad");
  CHECK(cells.x.rows == 220);
  CHECK(cells.var.names[0] == std::string(truth.at(0, 1)));
  const std::string& map = files.at("map.toml");
  CHECK(map.find("[blast]\nimage = [\"blast\"]\nrna = [\"GMP\"]\n") != std::string::npos);
  CHECK(map.find("[segmented]\nimage = [\"segmented\"]\nrna = [\"segmented\"]\n") !=
        std::string::npos);
  CHECK(std::count(map.begin(), map.end(), '[') == 3 * 8);
}

TEST_CASE("synth multimodal: wrong options and a folder that is in use") {
  const TempFolder folder;
  MultimodalOptions o = small(folder / "set");
  const auto refused = [&](const char* text) {
    CHECK_THROWS_WITH_AS(write_multimodal(o), doctest::Contains(text), ConfigError);
    CHECK_FALSE(fs::exists(folder / "set"));
    o = small(folder / "set");
  };
  o.cells = 10;
  refused("--cells must be 200 to 10000000, got 10");
  o.images = 8;
  refused("--images must be 16 to 10000000, got 8");
  o.genes = 47;
  refused("--genes must be 16 times --drivers");
  o.size = 8;
  refused("--size must be 16 to 2048, got 8");
  o.output = "";
  refused("--output is missing");
  o.fields = 0;
  write_multimodal(o);
  CHECK_FALSE(fs::exists(folder / "set/fields"));
  CHECK_THROWS_AS(write_multimodal(o), FileError);
  const std::string truth = read_file(folder / "set/truth.csv");
  o.force = true;
  write_multimodal(o);
  CHECK(read_file(folder / "set/truth.csv") == truth);
}
