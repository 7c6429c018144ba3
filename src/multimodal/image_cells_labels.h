#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/io/csv.h"

namespace cytograd::multimodal {

/// What a table says of cells: columns `path` (or `name`), `label` and, if wanted, `group` and
/// `split`. A row belongs to the cells whose name ends with its path, whole folder names compared;
/// of several rows the one with the longest path.
class CellLabelTable {
 public:
  /// @throws FileError; DataError csv.form, and csv.conflict for one path with two labels
  explicit CellLabelTable(const std::string& path);

  struct Found {
    std::vector<std::string> label, group, split;  ///< one per cell, "" unknown
    std::vector<bool> known;                       ///< whether a cell has a row
    int64_t rows_left = 0;                         ///< rows without a cell
    std::string first_left;                        ///< the first of their paths
    std::vector<std::string> notes() const;
  };
  /// @throws DataError csv.absent if no cell has a row; csv.conflict for a row that means several
  /// cells
  Found find(const std::vector<std::string>& names) const;

 private:
  CsvTable table_;
  size_t path_ = 0, label_ = 0;
};

}  // namespace cytograd::multimodal
