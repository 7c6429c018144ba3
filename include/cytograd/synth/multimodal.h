#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/synth/cells.h"
#include "cytograd/synth/rna.h"

/// @file
/// Images and RNA of the same kinds of cells with a known answer: which genes drive which way, in
/// which direction; docs/multimodal.md.

namespace cytograd::synth {

/// A way of differentiation that pictures and counts both show.
struct KnownPath {
  std::string name;               ///< "granulopoiesis", "monocytopoiesis"
  std::vector<CellClass> images;  ///< classes of pictures, in order
  std::vector<std::string> rna;   ///< cell types of the counts, in order, as many
};
const std::vector<KnownPath>& known_paths();

/// A gene along a path.
struct PathGene {
  std::string path, gene;
  double change = 0;             ///< of the log mean count from the first to the last kind of cell
  int direction = 0;             ///< sign of `change`; 0: it does not change
  bool driver = false;           ///< `change` is at least half the effect
  Branch branch = Branch::stem;  ///< of a gene that drives any branch
  bool planted = false;          ///< it drives a branch, perhaps another one
};

/// All genes along all paths. A path begins and ends at the mean pseudotime of its first and last
/// kind of cell. @throws ConfigError where the set has no cell of these
std::vector<PathGene> path_genes(const RnaSet& set, double effect);

struct MultimodalOptions {
  std::filesystem::path output;
  int64_t cells = 2000;  ///< of the counts
  int64_t genes = 300;   ///< at least `16 * drivers`
  int64_t drivers = 8;   ///< per branch and direction
  double effect = 2.5;   ///< as `RnaOptions`
  int64_t images = 800;  ///< crops of single cells, over all classes
  int64_t fields = 48;   ///< annotated fields to train a detector on; 0: none
  int size = 128;        ///< of a crop, pixels
  uint64_t seed = 0;
  bool force = false;  ///< write over an earlier set
  /// Called after each picture with (done, total), from one thread at a time.
  std::function<void(int64_t, int64_t)> progress;
};

struct MultimodalSet {
  int64_t images = 0, fields = 0, cells = 0, genes = 0;
  std::vector<std::pair<std::string, int64_t>> drivers;  ///< per path
};

/// Writes OUTPUT/cells (crops and masks, as `write_cells`), OUTPUT/fields (as `write_smears`, 192 x
/// 144 pixels of 0.4 micrometres), OUTPUT/rna.h5ad (as `write_rna`: cells on the way from GMP to
/// neutrophils and to monocytes), OUTPUT/map.toml (which classes are the same) and, last,
/// OUTPUT/truth.csv: path, gene, driver (0 or 1), direction (1, -1, 0), branch ("none" without
/// one), change. Same bytes for any number of threads.
/// @throws ConfigError for wrong options; FileError as `write_cells`
MultimodalSet write_multimodal(const MultimodalOptions& options);

}  // namespace cytograd::synth
