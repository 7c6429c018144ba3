#include "cytograd/synth/multimodal.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/synth/smears.h"
#include "synth/output.h"

namespace fs = std::filesystem;

namespace cytograd::synth {
namespace {

constexpr const char* truth_name = "truth.csv";

void validate(const MultimodalOptions& o) {
  const auto require = [](bool good, const char* message, int64_t got) {
    if (!good) throw ConfigError(message + std::to_string(got));
  };
  // With fewer cells a kind may be missing from the counts.
  require(o.cells >= 200 && o.cells <= 10'000'000, "--cells must be 200 to 10000000, got ",
          o.cells);
  require(o.images >= 16 && o.images <= 10'000'000, "--images must be 16 to 10000000, got ",
          o.images);
  require(o.fields >= 0 && o.fields <= 1'000'000, "--fields must be 0 to 1000000, got ", o.fields);
  require(o.size >= 16 && o.size <= 2048, "--size must be 16 to 2048, got ", o.size);
  if (o.output.empty()) throw ConfigError("--output is missing; expected a folder to write to");
}

// Mean pseudotime of the cells of one type that are on the way to `branch` or before it.
double mean_time(const RnaSet& set, const std::string& type) {
  double sum = 0;
  int64_t count = 0;
  for (const RnaCell& cell : set.cells)
    if (cell.cell_type == type) sum += cell.pseudotime, ++count;
  if (count == 0) throw ConfigError("no cell is a " + type + "; --cells must be larger");
  return sum / static_cast<double>(count);
}

Branch branch_of(const RnaSet& set, const std::string& type) {
  const auto at = std::find_if(set.cells.begin(), set.cells.end(),
                               [&](const RnaCell& c) { return c.cell_type == type; });
  return at == set.cells.end() ? Branch::stem : at->branch;
}

std::vector<CellClass> image_classes() {
  std::set<CellClass> all;
  for (const KnownPath& path : known_paths()) all.insert(path.images.begin(), path.images.end());
  return {all.begin(), all.end()};
}

std::string map_text() {
  std::string text =
      "# Which classes of the pictures and of the counts are the same kind of cell.\n";
  std::set<CellClass> done;
  for (const KnownPath& path : known_paths())
    for (size_t i = 0; i < path.images.size(); ++i) {
      if (!done.insert(path.images[i]).second) continue;
      const std::string image(name(path.images[i]));
      text += "\n[" + image + "]\nimage = [\"" + image + "\"]\nrna = [\"" + path.rna[i] + "\"]\n";
    }
  return text;
}

void write_truth(const fs::path& path, const std::vector<PathGene>& genes) {
  const std::vector<std::string> header = {"path",      "gene",   "driver",
                                           "direction", "branch", "change"};
  CsvWriter csv(path.string(), header);
  for (const PathGene& g : genes) {
    const std::vector<std::string> row = {g.path,
                                          g.gene,
                                          g.driver ? "1" : "0",
                                          std::to_string(g.direction),
                                          g.planted ? std::string(name(g.branch)) : "none",
                                          format_fixed(g.change, 6)};
    csv.row(row);
  }
  csv.commit();
}

RnaSet make_counts(const MultimodalOptions& o) {
  RnaOptions rna;
  rna.cells = o.cells, rna.genes = o.genes, rna.drivers = o.drivers, rna.effect = o.effect;
  rna.seed = o.seed;
  rna.lineages = {Branch::neutrophil, Branch::monocyte};
  rna.from = 0.3;  // GMP
  return make_rna(rna);
}

CellSetOptions cell_options(const MultimodalOptions& o) {
  CellSetOptions cells;
  cells.output = o.output / "cells", cells.force = o.force;
  cells.count = o.images, cells.size = o.size, cells.seed = o.seed;
  cells.classes = image_classes();
  cells.masks = true;
  return cells;
}

SmearSetOptions field_options(const MultimodalOptions& o) {
  SmearSetOptions fields;
  fields.output = o.output / "fields", fields.force = o.force;
  fields.count = o.fields;
  fields.field.seed = o.seed, fields.field.classes = image_classes();
  fields.field.width = 192, fields.field.height = 144, fields.field.microns_per_pixel = 0.4;
  return fields;
}

}  // namespace

const std::vector<KnownPath>& known_paths() {
  using enum CellClass;
  static const std::vector<KnownPath> all = {
      {"granulopoiesis",
       {blast, promyelocyte, myelocyte, metamyelocyte, band, segmented},
       {"GMP", "promyelocyte", "myelocyte", "metamyelocyte", "band", "segmented"}},
      {"monocytopoiesis", {blast, promonocyte, monocyte}, {"GMP", "promonocyte", "monocyte"}},
  };
  return all;
}

std::vector<PathGene> path_genes(const RnaSet& set, double effect) {
  std::vector<PathGene> out;
  for (const KnownPath& path : known_paths()) {
    RnaCell first, last;
    first.branch = branch_of(set, path.rna.front()), last.branch = branch_of(set, path.rna.back());
    first.pseudotime = mean_time(set, path.rna.front());
    last.pseudotime = mean_time(set, path.rna.back());
    for (const RnaGene& gene : set.genes) {
      PathGene g{.path = path.name, .gene = gene.name};
      g.change = std::log(expected_count(gene, last, effect) / expected_count(gene, first, effect));
      // Equal means differ by rounding at most.
      g.direction = std::abs(g.change) < 1e-9 ? 0 : g.change > 0 ? 1 : -1;
      g.driver = std::abs(g.change) >= effect / 2 && g.direction != 0;
      g.branch = gene.branch, g.planted = gene.driver;
      out.push_back(g);
    }
  }
  return out;
}

MultimodalSet write_multimodal(const MultimodalOptions& options) {
  validate(options);
  const RnaSet counts = make_counts(options);
  const std::vector<PathGene> genes = path_genes(counts, options.effect);
  claim_folder(options.output, truth_name, options.force);
  CellSetOptions cells = cell_options(options);
  SmearSetOptions fields = field_options(options);
  const int64_t total = options.images + options.fields;
  if (options.progress) {
    cells.progress = [&](int64_t done, int64_t) { options.progress(done, total); };
    fields.progress = [&](int64_t done, int64_t) {
      options.progress(options.images + done, total);
    };
  }
  MultimodalSet set;
  set.images = write_cells(cells).images;
  if (options.fields > 0) set.fields = write_smears(fields).images;
  write_rna(counts, (options.output / "rna.h5ad").string());
  write_file_atomically((options.output / "map.toml").string(), map_text());
  write_truth(options.output / truth_name, genes);
  set.cells = options.cells, set.genes = options.genes;
  for (const KnownPath& path : known_paths())
    set.drivers.emplace_back(
        path.name, std::count_if(genes.begin(), genes.end(),
                                 [&](const auto& g) { return g.driver && g.path == path.name; }));
  return set;
}

}  // namespace cytograd::synth
