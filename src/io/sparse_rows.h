#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"

/// @file
/// Compressed rows from what files hold: unsorted, repeated, in the order of the genes.

namespace cytograd::io {

/// Most cells or genes: their numbers are 32 bits.
inline constexpr int64_t most_entries = std::numeric_limits<int32_t>::max();

/// Rows without values yet.
CsrMatrix empty_rows(int64_t rows, int64_t columns);

/// What `tidy` has changed, for the notes of a file.
struct Tidied {
  int64_t unsorted = 0, repeated = 0;
  void add_to(std::vector<std::string>& notes) const;
};

/// Sorts the columns of each row, sums those that are met again, and drops zeros; in place.
void tidy(CsrMatrix& m, Tidied& done);

/// Entries in the order in which a file has them.
class EntryList {
 public:
  void add(int64_t row, int64_t column, float value) {
    rows_.push_back(static_cast<int32_t>(row));
    columns_.push_back(static_cast<int32_t>(column));
    values_.push_back(value);
  }
  int64_t size() const { return static_cast<int64_t>(values_.size()); }
  /// [rows, columns]; entries of a row in the order in which they came. Leaves the list empty.
  CsrMatrix take(int64_t rows, int64_t columns);
  /// [columns, rows], the same turned over.
  CsrMatrix take_turned(int64_t rows, int64_t columns);

 private:
  std::vector<int32_t> rows_, columns_;
  std::vector<float> values_;
};

/// Rows first, first + 1, ... that together have at most `most` values, and at least one row.
int64_t rows_within(const std::vector<int64_t>& indptr, int64_t first, int64_t most);
/// Rows first .. first + count - 1.
CsrMatrix rows_of(const CsrMatrix& m, int64_t first, int64_t count);
/// Puts the rows of `more` below those of `m`. @pre the same columns
void append_rows(CsrMatrix& m, const CsrMatrix& more);
/// Column j becomes `to[j]`, or goes where that is -1. Columns of a row are sorted again.
CsrMatrix renumbered(const CsrMatrix& m, const std::vector<int32_t>& to, int64_t columns);

}  // namespace cytograd::io
