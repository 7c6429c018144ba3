#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"

/// @file
/// Cells and genes of an `.h5ad` file of any generation; docs/formats/h5ad.md.

namespace cytograd {

/// A matrix that a file holds.
struct StoredMatrix {
  std::string name;  ///< "X", "raw/X", "layers/NAME", "obsm/NAME"
  std::string kind;  ///< "array", "csr_matrix", "csc_matrix"; "" for what this reader does not know
  int64_t rows = 0, columns = 0;
};

struct SingleCells {
  std::string matrix;  ///< which one `x` is, "" for none
  CsrMatrix x;         ///< [cells, genes]; zeros are not stored, NaN and infinity are
  AnnTable obs;        ///< one row per cell
  AnnTable var;        ///< one row per gene of x; a name met again has "-1", "-2" behind it
  std::map<std::string, DenseMatrix> obsm;  ///< the dense ones
  std::vector<StoredMatrix> stored;         ///< all of the file
  std::vector<std::string> notes;           ///< what was summed, sorted or left out
};

/// Reads `matrix` ("X", "raw/X" or "layers/NAME"; dense, csr or csc; any number type), obs, the
/// genes (those of raw for "raw/X") and the dense entries of obsm. Dense matrices are read in
/// blocks of rows and never held filled in. Unsorted entries of a row are sorted, repeated ones
/// summed.
/// @param matrix  "" for X, or for none if the file has no X
/// A child process reads, as for `read_h5ad_table`. @throws as that
SingleCells read_single_cells(const std::string& path, const std::string& matrix = "");

}  // namespace cytograd
