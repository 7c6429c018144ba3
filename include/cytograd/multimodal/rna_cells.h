#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/rna/expression.h"

/// @file
/// RNA cells as an RNA VAE is trained on, and new cells brought to the genes and the scale of a
/// trained one.

namespace cytograd::multimodal {

struct RnaCellOptions {
  std::string matrix = "";         ///< "" X, "raw/X", "layers/NAME"
  std::string state = "auto";      ///< auto, counts, lognorm or scaled
  std::string label_column = "";   ///< of obs; "": the one of these there is: cell_type,
                                   ///< celltype, CellType, cell_ontology_class, louvain
  std::string tissue_column = "";  ///< labels become LABEL_TISSUE
  std::string group_column = "";   ///< donors: whole ones go to one part of the split
  std::string reference = "";      ///< entry of obsm [cells, 50] for the cosine; "" none
  std::optional<rna::HvgOptions> variable = rna::HvgOptions{};  ///< nothing: all genes
  bool marked = false;  ///< the genes that var/highly_variable marks, in place of `variable`
  std::vector<std::string> drop_classes = {};
};

/// Cells in memory: only the genes that are kept, never filled in.
struct RnaCells {
  std::vector<std::string> names;    ///< one per cell
  std::vector<std::string> genes;    ///< one per column of x
  CsrMatrix x;                       ///< logarithms
  rna::ExpressionScale scale;        ///< of the cells that are trained on
  std::vector<std::string> classes;  ///< in order of the file
  std::vector<int64_t> labels;       ///< one per cell, -1 unknown (of new cells only)
  std::vector<std::string> groups;   ///< donors, or empty
  Tensor reference;                  ///< [cells, 50] float32, or undefined
  std::vector<std::string> steps;    ///< of the preprocessing
  std::vector<std::string> notes;    ///< cells without a label left out, ...
  std::string hash;                  ///< of names, labels and values

  int64_t size() const { return x.rows; }
  /// [rows, genes] in 0..1.
  Tensor batch(const std::vector<int64_t>& rows) const;
};

/// Reads any file or folder that `read_single_cells` takes (a file of `cyto rna preprocess` too,
/// whose X are logarithms). Genes are named by var, or by its column of symbols (feature_name,
/// gene_symbol, ...) where the names of var are Ensembl's.
/// @param training  rows that genes and scale are fitted on; called once with everything but genes
/// and values. Order and repetition do not matter
/// @throws as FileCells; ValueError for a state or row that is none; DataError h5ad.form where a
/// column or entry is missing (listing what there is) or the reference has another width than 50;
/// rna.values naming cell and gene, or for genes to be chosen from scaled values; class.unknown for
/// a class to drop that there is not; class.missing for fewer than two cells of a kind; data.empty
RnaCells read_rna_cells(const std::string& path, const RnaCellOptions& options,
                        const std::function<std::vector<int64_t>(const RnaCells& head)>& training);

/// Cells for a trained model: its genes in its order by name (Ensembl versions
/// ignored), its scale. Missing genes are 0 and listed in `notes`.
/// @throws DataError h5ad.genes where more than a tenth is missing
RnaCells read_rna_cells(const std::string& path, const RnaCellOptions& options,
                        const std::vector<std::string>& genes, const rna::ExpressionScale& scale);

}  // namespace cytograd::multimodal
