#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/io/single_cells.h"
#include "cytograd/rna/expression.h"

/// @file
/// Expression of more cells than memory holds: they are gone through in blocks, as often as a
/// result takes. docs/rna.md.

namespace cytograd::rna {

/// What the values of a matrix are, seen in one pass.
struct ValueSummary {
  int64_t stored = 0, negative = 0, not_finite = 0;
  float least = 0, largest = 0;  ///< of the finite ones, with the zeros that are not stored
  bool whole = true;             ///< all are whole numbers
  int64_t empty_cells = 0;
  /// The first value that is NaN, infinite or negative; -1 if there is none.
  int64_t bad_cell = -1, bad_gene = -1;
  float bad_value = 0;
  std::vector<double> cell_sums;        ///< in float64
  std::vector<int64_t> cells_per_gene;  ///< cells whose value is not 0

  ValueSummary() = default;
  explicit ValueSummary(int64_t genes) : cells_per_gene(static_cast<size_t>(genes), 0) {}
  /// Cells in order.
  void add(const CsrMatrix& x);
  /// As `state_of` of the whole matrix.
  ExpressionState state(bool has_deviations) const;
  int64_t empty_genes() const;
};

/// Cells in blocks: as often as wanted, each time the same ones in the same order.
class CellSource {
 public:
  /// Cells first, first + 1, ...; rows of the block count from 0.
  using Take = std::function<void(int64_t first, const CsrMatrix& x)>;
  virtual ~CellSource() = default;
  virtual int64_t cells() const = 0;
  virtual int64_t genes() const = 0;
  virtual const ValueSummary& summary() const = 0;
  virtual void each(const Take& take) const = 0;
};

/// Cells of a matrix, which has to outlive this.
class MatrixCells : public CellSource {
 public:
  /// @throws ValueError for a matrix whose parts do not fit together
  explicit MatrixCells(const CsrMatrix& x);
  int64_t cells() const override { return x_.rows; }
  int64_t genes() const override { return x_.columns; }
  const ValueSummary& summary() const override { return summary_; }
  void each(const Take& take) const override;

 private:
  const CsrMatrix& x_;
  ValueSummary summary_;
};

/// Cells of a file. Up to `most_kept` values are kept in memory; if there are more, the file is
/// read again for every pass, and memory holds one block of it.
class FileCells : public CellSource {
 public:
  /// Reads the file once. @throws as `read_single_cells`
  explicit FileCells(std::string path, std::string matrix = "",
                     int64_t most_kept = int64_t{1} << 25);
  int64_t cells() const override { return head_.x.rows; }
  int64_t genes() const override { return head_.x.columns; }
  const ValueSummary& summary() const override { return summary_; }
  /// @throws DataError change if the file has other cells or values than at first
  void each(const Take& take) const override;

  /// All but the values; `head().x` has only its sizes.
  const SingleCells& head() const { return head_; }
  const std::string& path() const { return path_; }
  bool kept() const { return kept_; }

 private:
  std::string path_, matrix_;
  SingleCells head_;
  ValueSummary summary_;
  bool kept_ = true;
  std::vector<CsrMatrix> blocks_;
};

/// Genes that the column highly_variable of the matrix' var marks (anndata, scanpy), rising.
/// @throws DataError h5ad.form if it marks none
std::vector<int64_t> marked_genes(const FileCells& cells);

/// `preprocess` of cells in blocks: three passes, two more with `exclude_above`, two fewer where no
/// genes are chosen by their dispersion. The same bits as of the whole matrix. Memory: the genes
/// that are kept. @throws as that; DataError rna.values with the number of such values
Preprocessed preprocess(const CellSource& cells, const PreprocessOptions& options = {});

}  // namespace cytograd::rna
