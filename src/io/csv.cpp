#include "cytograd/io/csv.h"

#include <algorithm>
#include <unordered_set>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"

namespace cytograd {

// Walks the text once, writing each field unquoted over what has been read.
class CsvParser {
 public:
  CsvParser(CsvTable& table, char separator) : t_(table), text_(table.text_), sep_(separator) {
    if (text_.size() > max_text_bytes)
      fail("table of " + std::to_string(text_.size()) + " bytes",
           "at most " + std::to_string(max_text_bytes) + " bytes", "split the file");
    if (text_.compare(0, 3, "\xEF\xBB\xBF") == 0) read_ = 3;
    if (text_.compare(0, 2, "\xFF\xFE") == 0 || text_.compare(0, 2, "\xFE\xFF") == 0)
      fail("UTF-16 text", "UTF-8", "save it as CSV UTF-8");
  }

  void parse() {
    while (read_ < text_.size()) {
      row_line_ = line_;
      row();
      const bool blank = row_.size() == 1 && row_[0].begin == row_[0].end && !quoted_;
      if (!blank) keep();
      row_.clear();
    }
    if (t_.header_.empty()) fail("no header line", "a line of column names", "");
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected,
                         const std::string& hint) const {
    throw DataError(
        {"csv.form", t_.name_, "line " + std::to_string(row_line_), found, expected, hint});
  }

  void row() {
    quoted_ = false;
    bool more = true;
    while (more) {
      if (row_.size() == max_csv_columns)
        fail("more than " + std::to_string(max_csv_columns) + " fields in a row", "", "");
      const size_t begin = write_;
      if (read_ < text_.size() && text_[read_] == '"')
        quoted();
      else
        plain();
      if (write_ - begin > max_csv_field_bytes)
        fail("field of " + std::to_string(write_ - begin) + " bytes",
             "at most " + std::to_string(max_csv_field_bytes), "look for a missing quote");
      row_.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(write_)});
      more = read_ < text_.size() && text_[read_] == sep_;
      if (more) ++read_;
    }
    end_of_line();
  }

  void plain() {
    for (; read_ < text_.size(); ++read_) {
      const char c = text_[read_];
      if (c == sep_ || c == '\n' || c == '\r') return;
      if (c == '"') fail("quote inside an unquoted field", "the whole field in quotes", "");
      put(c);
    }
  }

  void quoted() {
    quoted_ = true;
    const int64_t opened = line_;
    for (++read_; read_ < text_.size(); ++read_) {
      const char c = text_[read_];
      if (c == '"') {
        if (read_ + 1 < text_.size() && text_[read_ + 1] == '"') {
          ++read_;
        } else {
          ++read_;
          const char next = read_ < text_.size() ? text_[read_] : '\n';
          if (next != sep_ && next != '\n' && next != '\r')
            fail("text after a closing quote", "a separator or the end of the line", "");
          return;
        }
      }
      if (c == '\n') ++line_;
      put(c);
    }
    row_line_ = opened;
    fail("quote that is never closed", "a closing quote", "");
  }

  void put(char c) {
    if (c == '\0') fail("zero byte", "text", "the file is not CSV or is damaged");
    text_[write_++] = c;
  }

  void end_of_line() {
    if (read_ == text_.size()) return;
    if (text_[read_] == '\r') {
      ++read_;
      if (read_ < text_.size() && text_[read_] != '\n')
        fail("carriage return without line feed", "lines that end in LF or CRLF",
             "convert the line ends");
      if (read_ == text_.size()) return;
    }
    ++read_;
    ++line_;
  }

  void keep() {
    if (t_.header_.empty()) {
      std::unordered_set<std::string> seen;
      for (const auto& f : row_) {
        std::string name = text_.substr(f.begin, f.end - f.begin);
        if (!name.empty() && !seen.insert(name).second)
          fail("column \"" + name + "\" appears twice", "different names", "");
        t_.header_.push_back(std::move(name));
      }
      return;
    }
    if (row_.size() != t_.header_.size())
      fail("row of " + std::to_string(row_.size()) + " fields",
           std::to_string(t_.header_.size()) + " as in the header", "quote fields with commas");
    t_.fields_.insert(t_.fields_.end(), row_.begin(), row_.end());
    t_.lines_.push_back(row_line_);
  }

  CsvTable& t_;
  std::string& text_;
  const char sep_;
  size_t read_ = 0, write_ = 0;
  int64_t line_ = 1, row_line_ = 1;
  bool quoted_ = false;
  std::vector<CsvTable::Field> row_;
};

CsvTable::CsvTable(std::string text, std::string name, char separator)
    : text_(std::move(text)), name_(std::move(name)) {
  CsvParser(*this, separator).parse();
}

std::string_view CsvTable::at(size_t row, size_t column) const {
  const Field f = fields_[row * header_.size() + column];
  return std::string_view(text_).substr(f.begin, f.end - f.begin);
}

std::optional<std::string_view> CsvTable::value(size_t row, size_t column) const {
  const std::string_view text = trim(at(row, column));
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<size_t> CsvTable::find_column(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return std::nullopt;
  return static_cast<size_t>(found - header_.begin());
}

size_t CsvTable::column(std::string_view name) const {
  if (const auto found = find_column(name)) return *found;
  const std::string near = nearest_name(name, header_);
  throw DataError({"csv.form", name_, "line 1", "no column \"" + std::string(name) + "\"",
                   "a column of that name", near.empty() ? "" : "did you mean \"" + near + "\"?"});
}

double CsvTable::number(size_t row, size_t column) const {
  if (const auto number = parse_double(trim(at(row, column)))) return *number;
  fail(row,
       "\"" + std::string(at(row, column).substr(0, 80)) + "\" in column \"" + header_[column] +
           "\"",
       "a number");
}

void CsvTable::fail(size_t row, const std::string& found, const std::string& expected,
                    const std::string& hint, const std::string& id) const {
  throw DataError({id, name_, "line " + std::to_string(line(row)), found, expected, hint});
}

CsvTable read_csv(const std::string& path, char separator) {
  return CsvTable(read_file(path, max_text_bytes), path, separator);
}

std::string csv_row(std::span<const std::string> fields) {
  std::string out;
  for (const std::string& field : fields) {
    if (&field != fields.data()) out += ',';
    // A row of one empty field would read as an empty line.
    const bool quote = field.find_first_of(",\"\r\n") != std::string::npos ||
                       (field.empty() && fields.size() == 1);
    if (!quote) {
      out += field;
      continue;
    }
    out += '"';
    for (const char c : field) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  out += '\n';
  return out;
}

CsvWriter::CsvWriter(std::string path, std::span<const std::string> header)
    : file_(std::move(path)), columns_(header.size()) {
  file_.write(csv_row(header));
}

void CsvWriter::row(std::span<const std::string> fields) {
  check<ValueError>(fields.size() == columns_, "CsvWriter::row", "row expects ", columns_,
                    " fields, got ", fields.size());
  file_.write(csv_row(fields));
}

}  // namespace cytograd
