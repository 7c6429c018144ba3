#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/sparse_rows.h"
#include "io/text_lines.h"

/// @file
/// Tables of text with a header, as GEO keeps them: counts of genes and cells, and what is known of
/// the cells. Fields between tabs, or between commas where the header has no tab.

namespace cytograd::io {

struct CountTable {
  std::vector<std::string> cells, genes;
  CsrMatrix x;  ///< [cells, genes]
  Tidied tidied;
};

/// True for two lines that begin a table of counts: a header, and a row of a name and numbers.
bool is_count_table(std::string_view header, std::string_view row);

/// One row per gene and one column per cell; the other way round where the corner names cells
/// ("cell", "barcode"). The corner may be missing, as R leaves it out.
/// @throws DataError cells.form naming line, cell and gene: rows of another length than the header,
/// fields that are no finite number of at least 0, no rows
CountTable read_count_table(TextLines& file);

/// Texts per row, the first column apart.
struct TextTable {
  std::vector<std::string> names;
  std::vector<std::pair<std::string, std::vector<std::string>>> columns;
};
/// @throws DataError cells.form: ragged rows, a name or column that is met twice
TextTable read_text_table(TextLines& file);

/// Numbers where all fields are ("" and NA: missing), else categories in order of appearance, or
/// texts where nearly all differ. Nothing for a column that is empty.
std::optional<Column> typed_column(const std::vector<std::string>& fields);

}  // namespace cytograd::io
