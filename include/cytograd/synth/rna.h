#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/core/random.h"

/// @file
/// Invented single-cell RNA counts of blood formation with a known answer: a tree of lineages, a
/// pseudotime for every cell, and genes that are known to drive a lineage up or down.
///
///     HSC - MPP -+- GMP -+- promyelocyte - myelocyte - metamyelocyte - band - segmented
///                |       +- promonocyte - monocyte
///                |       +- eosinophil
///                |       +- basophil
///                +- MEP --- proerythroblast - baso_ - poly_ - ortho_erythroblast
///                +- CLP --- lymphocyte

namespace cytograd::synth {

/// Parts of the tree. Cells of `stem` and `myeloid` are not yet committed further.
enum class Branch {
  stem,
  myeloid,
  neutrophil,
  monocyte,
  eosinophil,
  basophil,
  erythroid,
  lymphoid
};
inline constexpr int branch_count = 8;
/// "stem", "myeloid", ...
std::string_view name(Branch branch);

struct RnaOptions {
  int64_t cells = 2000;
  int64_t genes = 500;         ///< at least `16 * drivers`
  int64_t drivers = 8;         ///< per branch and direction
  double depth = 4000;         ///< mean counts per cell of an average cell
  double depth_spread = 0.35;  ///< standard deviation of the log depth between cells
  double dispersion = 0.25;    ///< typical 1/size: variance = mean + dispersion * mean^2
  double effect = 2.5;         ///< change of a driver's log mean over its branch
  int batches = 2;
  double batch_effect = 0.12;  ///< spread of a gene's log mean between batches
  uint64_t seed = 0;
  /// Ways to these kinds of mature cells alone; empty: all. Genes of the others never change then.
  std::vector<Branch> lineages = {};
  double from = 0;  ///< least pseudotime, below 1
};

struct RnaCell {
  std::string id;
  std::string cell_type;  ///< "HSC", "MPP", "GMP", "MEP", "CLP" or the name of a `CellClass`
  Branch branch = Branch::stem;
  double pseudotime = 0;  ///< 0 stem cell .. 1 mature
  int batch = 0;
  double size_factor = 1;
};

struct RnaGene {
  std::string name;
  bool driver = false;
  int direction = 0;             ///< of a driver along its branch: 1 rises, -1 falls
  Branch branch = Branch::stem;  ///< of a driver
  double base = 0;               ///< mean count of a cell before its branch acts, size factor 1
  double dispersion = 0;         ///< variance = mean + dispersion * mean^2
};

/// Cells by genes as compressed rows, column numbers rising within a row.
struct RnaSet {
  std::vector<int64_t> row_begin;  ///< cells + 1
  std::vector<int32_t> gene_index;
  std::vector<float> counts;  ///< whole numbers > 0
  std::vector<RnaCell> cells;
  std::vector<RnaGene> genes;

  /// The count of one gene in every cell.
  std::vector<float> column(int64_t gene) const;
};

/// Same result for any number of threads.
/// @throws ConfigError if an option is out of range
RnaSet make_rna(const RnaOptions& options);

/// Writes an `.h5ad` with `write_h5ad`: X counts as CSR float32; obs celltype, branch, batch
/// (categorical), pseudotime, size_factor; var driver (0 or 1), direction, driver_branch, base,
/// dispersion.
/// Atomic; the same bytes for the same set. @throws FileError
void write_rna(const RnaSet& set, const std::string& path);

/// Mean count of a gene in a cell, batch effect excluded.
double expected_count(const RnaGene& gene, const RnaCell& cell, double effect);

/// Negative binomial with this mean and variance mean + dispersion * mean^2: Poisson with a gamma
/// distributed rate; dispersion 0 is Poisson.
int64_t negative_binomial(Rng& rng, double mean, double dispersion);

}  // namespace cytograd::synth
