#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/multimodal/rna_cells.h"
#include "cytograd/rna/cell_source.h"

/// @file
/// What is known of the cells of a file besides their values.

namespace cytograd::multimodal {

inline constexpr int64_t latent_width = 50;  ///< of the reference

/// What the values of a file are: "counts", "lognorm" or "scaled".
struct ExpressionInput {
  std::string state;
  std::vector<std::string> earlier;  ///< steps of `cyto rna preprocess`, if it wrote the file
};
/// @throws ValueError for a state that is none; DataError h5ad.form without a matrix, rna.values
/// naming cell and gene for NaN, infinity and negative values
ExpressionInput input_of(const rna::FileCells& file, const RnaCellOptions& options);

/// Symbols of the genes of a file, met again with "-1", "-2" behind them: the names of var, or its
/// column of symbols where the names are Ensembl's.
std::vector<std::string> symbols_of(const AnnTable& var);
/// All columns of var that may name genes, the names first.
std::vector<std::vector<std::string>> gene_names_of(const AnnTable& var);
/// "ENSG00000141510.18" is "ENSG00000141510".
std::string without_version(const std::string& gene);

/// Cells that are kept, without genes and values: `x` has rows alone.
struct ChosenRnaCells {
  RnaCells cells;
  std::vector<int64_t> rows;  ///< of the file, rising
};
/// @param unlabelled  keep cells without a label, and do without the column if none is named
/// @throws DataError h5ad.form, class.unknown, class.missing
ChosenRnaCells choose_cells(const SingleCells& head, const std::string& path,
                            const RnaCellOptions& options, bool unlabelled);

}  // namespace cytograd::multimodal
