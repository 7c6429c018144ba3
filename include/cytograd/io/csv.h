#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/io/file.h"

/// @file
/// Tables of text by RFC 4180: commas, fields in double quotes where they hold commas, quotes or
/// line breaks, CRLF or LF, an optional UTF-8 mark at the start. Faults are `DataError`
/// `csv.form` with the line.

namespace cytograd {

/// Largest field of a CSV file.
inline constexpr size_t max_csv_field_bytes = size_t{1} << 20;
/// Most columns of a CSV file.
inline constexpr size_t max_csv_columns = 100'000;

/// A parsed table: one header row, then rows of the same number of fields. Empty lines are skipped.
class CsvTable {
 public:
  /// @param text taken over and unquoted in place  @param name for messages
  CsvTable(std::string text, std::string name, char separator = ',');

  const std::string& name() const { return name_; }
  const std::vector<std::string>& header() const { return header_; }
  size_t rows() const { return lines_.size(); }
  size_t columns() const { return header_.size(); }
  /// The position of a column. @throws DataError naming the nearest column
  size_t column(std::string_view name) const;
  std::optional<size_t> find_column(std::string_view name) const;
  /// Valid as long as the table. Row 0 is the first after the header.
  std::string_view at(size_t row, size_t column) const;
  /// Line of the file, from 1, on which the row starts.
  int64_t line(size_t row) const { return lines_[row]; }
  /// A number. @throws DataError naming line, column and what was found
  double number(size_t row, size_t column) const;
  /// `at` trimmed of blanks; nothing when empty.
  std::optional<std::string_view> value(size_t row, size_t column) const;
  /// A fault at a row of this file, to throw or to collect. @param id such as "csv.multi"
  [[noreturn]] void fail(size_t row, const std::string& found, const std::string& expected,
                         const std::string& hint = "", const std::string& id = "csv.form") const;

 private:
  friend class CsvParser;
  struct Field {
    uint32_t begin, end;  // in text_, which is at most 1 GiB
  };
  std::string text_, name_;
  std::vector<std::string> header_;
  std::vector<Field> fields_;
  std::vector<int64_t> lines_;
};

/// @throws FileError, DataError
CsvTable read_csv(const std::string& path, char separator = ',');

/// One row with its line end; fields are quoted where they must be.
std::string csv_row(std::span<const std::string> fields);

/// Writes a table atomically; nothing appears before `commit`.
class CsvWriter {
 public:
  CsvWriter(std::string path, std::span<const std::string> header);
  /// @throws ValueError unless there are as many fields as columns
  void row(std::span<const std::string> fields);
  void commit() { file_.commit(); }

 private:
  AtomicFile file_;
  size_t columns_;
};

}  // namespace cytograd
