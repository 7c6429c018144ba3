#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"

/// @file
/// One matrix of an `.h5ad` file and what names its rows; docs/formats/h5ad.md.

namespace cytograd {

struct CellTable {
  std::vector<std::string> names;  ///< obs names, UTF-8
  DenseMatrix values;              ///< [cells, columns], finite or not
  std::optional<Categorical> labels;
};

/// Reads `matrix` ("X", "obsm/NAME" or "layers/NAME"; dense, csr or csc, any number type) and, if
/// `labels` is not empty, that column of obs as categories (strings and whole numbers become
/// categories in order of first appearance; missing values code -1).
///
/// The file is hostile input and HDF5 crashes on some: a child process reads it, with limits on
/// memory and processor time, and hands the arrays over. Links to other files, external and virtual
/// storage are refused. At most 2^32 values.
/// @throws FileError; DataError h5ad.crash where the child died, h5ad.form where the content is not
/// such a table, naming the HDF5 path
CellTable read_h5ad_table(const std::string& path, const std::string& matrix = "X",
                          const std::string& labels = "");

}  // namespace cytograd
