#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// @file
/// Cells in the layout of the Python package anndata (on-disk format 0.1.0 of its groups and
/// arrays), for scanpy and others to open.

namespace cytograd {

/// Row-major [rows, columns] of float32.
struct DenseMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
};

/// Compressed sparse rows: row i has `values[k]` at column `indices[k]`, indptr[i] <= k <
/// indptr[i + 1]; indices rise within a row.
struct CsrMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
  std::vector<int32_t> indices;
  std::vector<int64_t> indptr;  ///< rows + 1 entries, from 0 to values.size()
};

/// Strings from a fixed list; code -1 is missing.
struct Categorical {
  std::vector<int32_t> codes;
  std::vector<std::string> categories;
  bool ordered = false;
};

/// One column of a table.
using Column = std::variant<std::vector<double>, std::vector<int64_t>, std::vector<std::string>,
                            Categorical, std::vector<bool>>;

/// Columns in order, and one name per row.
struct AnnTable {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, Column>> columns;
};

/// Cells x genes with what is known of both. Names must be UTF-8 without zero bytes; names of
/// columns and entries must not be empty or contain '/'.
struct AnnData {
  std::variant<DenseMatrix, CsrMatrix> X;   ///< [cells, genes]; genes may be 0 for embeddings only
  AnnTable obs;                             ///< one row per cell
  AnnTable var;                             ///< one row per gene
  std::map<std::string, DenseMatrix> obsm;  ///< [cells, any], e.g. "X_cyto_embedding"
  std::map<std::string, CsrMatrix> layers;  ///< [cells, genes], e.g. "counts"
  std::map<std::string, std::variant<std::string, std::vector<std::string>, double>> uns;
};

/// Writes an `.h5ad` file atomically, arrays compressed with gzip. The same data gives the same
/// bytes: no times are stored. @throws ValueError where sizes disagree or names are not allowed;
/// FileError
void write_h5ad(const std::string& path, const AnnData& data);

}  // namespace cytograd
