#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/io/single_cells.h"
#include "io/hdf5_reader.h"
#include "io/sparse_rows.h"

/// @file
/// Files and folders of cells as the child process reads them: all but the values first, then the
/// values in blocks of cells. One function per format; `open_cells` finds out which it is.

namespace cytograd::io {

using GiveRows = std::function<void(const CsrMatrix&)>;

struct CellFile {
  SingleCells head;  ///< x has sizes but no values
  /// Gives all cells in order, some at a time; called once. Notes of what was met on the way come
  /// behind those of the head.
  std::function<void(const GiveRows& give, std::vector<std::string>& notes)> rows;
};

/// Values in a block, about.
inline constexpr int64_t block_values = int64_t{1} << 22;

/// By what the file or the files of the folder hold, not by their names alone.
/// @throws DataError, FileError
CellFile open_cells(const std::string& path, const std::string& matrix);

CellFile open_h5ad(std::shared_ptr<const Hdf5Reader> file, const std::string& matrix);
/// The rows that the arrays data, indices and indptr of a group hold, in blocks.
/// @throws DataError h5ad.form with the place where they do not fit together
void give_compressed(const Hdf5Reader& file, const std::string& place, int64_t rows,
                     int64_t columns, const GiveRows& give, Tidied& tidied);
/// 10x Genomics, Cell Ranger from version 3 on (/matrix) or before (one group per genome).
bool is_tenx(const Hdf5Reader& file);
CellFile open_tenx(std::shared_ptr<const Hdf5Reader> file);

/// Without features of other kinds (antibodies, guides), where a file says what they are.
CellFile keep_gene_expression(CellFile file);

/// Cells of one sample, read as a whole.
struct Sample {
  std::string name, file;
  std::vector<std::string> cells;
  AnnTable genes;  ///< one row per gene, names as in the file
  /// Columns of texts about the cells; they get their types when all samples are there.
  std::vector<std::pair<std::string, std::vector<std::string>>> about;
  CsrMatrix x;
  std::vector<std::string> notes;
};
/// A MatrixMarket file with the lists of cells and genes beside it.
Sample read_market_sample(const std::string& matrix_file);
/// A table of counts with the table about its cells beside it, if there is one.
Sample read_table_sample(const std::string& table_file);
/// The name of a sample: that of the file without "GSM123_" and from the first dot on.
std::string sample_name(const std::string& file);

/// One after the other, with a column `sample` where there are several. Genes may stand in another
/// order, but have to be the same. @throws DataError h5ad.genes where they are not
CellFile joined(std::vector<Sample> samples);

size_t rows_in(const Column& column);
AnnTable picked(const AnnTable& table, const std::vector<int64_t>& rows);

/// Texts with control characters escaped, genes that are met again with "-1", "-2" behind them.
/// @throws DataError h5ad.form where a table has another number of rows than x
void finish(SingleCells& cells, bool raw = false);

}  // namespace cytograd::io
