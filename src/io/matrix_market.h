#pragma once

#include "io/sparse_rows.h"
#include "io/text_lines.h"

namespace cytograd::io {

/// A matrix of a MatrixMarket file: coordinates, whole or real numbers, not symmetric.
struct MarketMatrix {
  int64_t rows = 0, columns = 0;
  EntryList entries;
};

/// True where the first line of a file is that of MatrixMarket.
bool is_matrix_market(std::string_view first_line);

/// @throws DataError cells.form naming the line: a wrong header, positions outside the matrix,
/// values that are not finite or below 0, another number of entries than the header says
MarketMatrix read_matrix_market(TextLines& file);

}  // namespace cytograd::io
