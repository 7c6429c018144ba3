#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"

/// @file
/// From counts of single cells [cells, genes] to what a network is trained on, without ever filling
/// the matrix in; docs/rna.md. Sums in float64; the same bits for any number of threads.
///
/// All throw ValueError for a matrix whose parts do not fit together, and DataError rna.values
/// naming cell and gene for NaN, infinity and negative values.

namespace cytograd::rna {

/// What the values of a matrix are.
enum class ExpressionState {
  counts,   ///< whole numbers
  lognorm,  ///< logarithms of normalised counts: any other values of at least 0
  scaled,   ///< divided by the deviation of the gene and cut at 10
  centred,  ///< some are negative: the mean was taken off
};
/// "counts", "lognorm", "scaled", "centred".
const char* name_of(ExpressionState state);
/// By the values: negative ones, else whole numbers, else a largest value of exactly 10 where the
/// file says by what genes were divided (`has_deviations`).
ExpressionState state_of(const CsrMatrix& x, bool has_deviations);

struct NormaliseOptions {
  std::optional<double> target =
      1e4;  ///< sum of a cell afterwards; nothing: the median of the sums
  /// Leave a gene out of the sums, and of the median, that has more than this share of any cell.
  std::optional<double> exclude_above = std::nullopt;
};
struct Normalised {
  double target = 0;
  int64_t empty_cells = 0;        ///< without counts; they stay 0
  std::vector<int64_t> left_out;  ///< genes that were left out of the sums, rising
};
/// Multiplies each cell by target / its sum. @throws ValueError unless a target is positive
Normalised normalise_total(CsrMatrix& counts, const NormaliseOptions& options = {});

/// ln(1 + x) of every value.
void log1p(CsrMatrix& x);

/// Mean and variance (divisor cells - 1; 0 for one cell) of every gene.
struct GeneMoments {
  std::vector<double> mean, variance;
};
/// @param undo_log  of expm1(x) in place of x
GeneMoments gene_moments(const CsrMatrix& x, bool undo_log = false);

/// How dispersions are compared with those of genes of like mean.
enum class HvgFlavour {
  seurat,       ///< of expm1(x): ln(variance / mean), mean and deviation in bins of ln(1 + mean)
  cell_ranger,  ///< of x: variance / mean, median and MAD in bins of percentiles of the mean
};
/// Parses "seurat", "cell_ranger". @throws ValueError for anything else
HvgFlavour hvg_flavour(const std::string& name);

struct HvgOptions {
  HvgFlavour flavour = HvgFlavour::seurat;
  std::optional<int64_t> n_top = 2432;  ///< nothing: by the cut-offs
  bool exact = false;                   ///< of genes that tie at the threshold the first ones
  int64_t bins = 20;                    ///< seurat
  double min_mean = 0.0125, max_mean = 3, min_dispersion = 0.5;
};
struct VariableGenes {
  std::vector<double> mean, dispersion;  ///< as the flavour compares them
  std::vector<double> normalised;        ///< dispersion, NaN where there is none
  std::vector<int64_t> genes;            ///< the highly variable ones, rising
  std::vector<std::string> notes;        ///< fewer genes than asked for, or more by ties
};
/// @param x  logarithms, as `log1p` gives them   @throws ValueError for n_top, bins < 1
VariableGenes highly_variable_genes(const CsrMatrix& x, const HvgOptions& options = {});

/// The same from moments: of expm1(x) for seurat, of x for cell_ranger.
VariableGenes highly_variable_genes(GeneMoments moments, const HvgOptions& options = {});

/// These columns, in this order. @throws ValueError for one out of range or named twice
CsrMatrix columns_of(const CsrMatrix& x, const std::vector<int64_t>& columns);

/// The last steps' constants, fitted on training cells and kept with the model.
struct ExpressionScale {
  std::vector<double> deviation;  ///< per gene, divisor cells - 1; 1 for a constant gene
  double clip = 10;
  double low = 0, high = 1;  ///< of all divided and clipped values

  /// (min(x / deviation, clip) - low) / (high - low), within [0, 1].
  double unit(double x, int64_t gene) const;
  /// The logarithm back from a value in [0, 1]; what was clipped stays so.
  double logarithm(double unit, int64_t gene) const;
};
/// @throws ValueError for no cells or genes, clip <= 0
ExpressionScale fit_scale(const CsrMatrix& x, double clip = 10);
/// Cells `rows` in [0, 1], filled in: [rows, genes] row-major. @throws ValueError for a row out of
/// range or another number of genes
std::vector<float> unit_rows(const CsrMatrix& x, const std::vector<int64_t>& rows,
                             const ExpressionScale& scale);

struct PreprocessOptions {
  bool logarithms =
      false;  ///< x is normalised and logarithmic already: the first steps are left out
  NormaliseOptions normalise = {};
  std::optional<HvgOptions> variable = HvgOptions{};  ///< nothing: all genes are kept
  std::vector<int64_t> genes = {};  ///< keep these, rising, in the place of what `variable` says
  double clip = 10;
  bool keep_counts = false;  ///< the values before the first step too, unless they are logarithms
};
struct Preprocessed {
  CsrMatrix x;                 ///< logarithms of the genes that are kept
  CsrMatrix counts;            ///< their values before, if wanted
  std::vector<int64_t> genes;  ///< which those are
  Normalised normalised;
  VariableGenes variable;  ///< empty where all genes are kept
  ExpressionScale scale;
  std::vector<std::string> steps;  ///< what was done with which numbers, for people and files
};
/// normalise_total, log1p, highly_variable_genes, columns_of, fit_scale. For cells of a file see
/// cytograd/rna/cell_source.h. @throws as those; DataError rna.values if no gene is highly variable
Preprocessed preprocess(const CsrMatrix& x, const PreprocessOptions& options = {});

}  // namespace cytograd::rna
