#include "io/count_table.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "cytograd/io/text.h"

namespace cytograd::io {
namespace {

char separator_of(std::string_view header) {
  return header.find('\t') != std::string_view::npos ? '\t' : ',';
}

std::string_view unquoted(std::string_view field) {
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
    field = field.substr(1, field.size() - 2);
  return field;
}

// Calls f(index, field) for each field of a line; returns how many there are.
template <class F>
size_t each_field(std::string_view line, char separator, const F& f) {
  size_t count = 0;
  while (true) {
    const size_t end = line.find(separator);
    f(count++, unquoted(line.substr(0, end)));
    if (end == std::string_view::npos) return count;
    line.remove_prefix(end + 1);
  }
}

std::vector<std::string> fields_of(std::string_view line, char separator) {
  std::vector<std::string> out;
  each_field(line, separator, [&out](size_t, std::string_view f) { out.emplace_back(f); });
  return out;
}

bool is_missing(std::string_view field) { return field.empty() || field == "NA"; }

bool names_cells(std::string_view corner) {
  const std::string lower = to_lower_ascii(corner);
  return lower.starts_with("cell") || lower.starts_with("barcode");
}

[[noreturn]] void fail_length(const TextLines& file, size_t fields, size_t expected) {
  file.fail(std::to_string(fields) + " fields",
            std::to_string(expected) + ", as in the lines before", "the file is damaged");
}

// Reads one count; anything but a finite number of at least 0 is a fault.
class CountReader {
 public:
  CountReader(const TextLines& file, const std::vector<std::string>& columns)
      : file_(file), columns_(columns) {}

  float operator()(std::string_view field, size_t column) const {
    if (field == "0") return 0;
    const auto number = parse_count(field);
    if (!number)
      file_.fail("\"" + std::string(field.substr(0, 40)) + "\" in column " + columns_[column],
                 "a finite number of at least 0");
    return *number;
  }

 private:
  const TextLines& file_;
  const std::vector<std::string>& columns_;
};

template <class T>
std::optional<std::vector<T>> numbers(const std::vector<std::string>& fields,
                                      std::optional<T> (*parse)(std::string_view),
                                      std::optional<T> missing) {
  std::vector<T> out;
  for (const std::string& field : fields) {
    const auto v = is_missing(field) ? missing : parse(field);
    if (!v) return std::nullopt;
    out.push_back(*v);
  }
  return out;
}

}  // namespace

bool is_count_table(std::string_view header, std::string_view row) {
  const char separator = separator_of(header);
  bool all = true;
  const size_t fields = each_field(row, separator, [&all](size_t i, std::string_view field) {
    all = all && (i == 0 || parse_double(field).has_value());
  });
  const size_t head = each_field(header, separator, [](size_t, std::string_view) {});
  return all && fields >= 2 && (head == fields || head + 1 == fields);
}

CountTable read_count_table(TextLines& file) {
  std::string_view line;
  if (!file.next(line)) file.fail_file("an empty file", "a header of cells and a row per gene");
  const char separator = separator_of(line);
  std::vector<std::string> columns = fields_of(line, separator), rows;
  bool cells_below = false;
  size_t fields = 0;  // of each row
  EntryList entries;
  const CountReader count(file, columns);
  while (file.next(line)) {
    if (line.empty()) continue;
    if (fields == 0) {  // the first row shows whether the header has a corner
      fields = each_field(line, separator, [](size_t, std::string_view) {});
      if (fields != columns.size() && fields != columns.size() + 1)
        fail_length(file, fields, columns.size());
      if (fields == columns.size()) {
        cells_below = names_cells(columns.front());
        columns.erase(columns.begin());
      }
      if (columns.empty()) file.fail("one column", "a name and a number per cell");
    }
    const auto row = static_cast<int64_t>(rows.size());
    const size_t found = each_field(line, separator, [&](size_t i, std::string_view field) {
      if (i == 0) {
        rows.emplace_back(field);
      } else if (i < fields) {
        const float v = count(field, i - 1);
        if (v != 0) entries.add(row, static_cast<int64_t>(i) - 1, v);
      }
    });
    if (found != fields) fail_length(file, found, fields);
    if (rows.back().empty()) file.fail("a row without a name", "the name of a gene or cell");
  }
  if (rows.empty()) file.fail_file("a header alone", "a row per gene");
  CountTable out;
  const auto down = static_cast<int64_t>(rows.size()),
             across = static_cast<int64_t>(columns.size());
  out.x = cells_below ? entries.take(down, across) : entries.take_turned(down, across);
  out.cells = cells_below ? std::move(rows) : std::move(columns);
  out.genes = cells_below ? std::move(columns) : std::move(rows);
  tidy(out.x, out.tidied);
  return out;
}

TextTable read_text_table(TextLines& file) {
  std::string_view line;
  if (!file.next(line)) file.fail_file("an empty file", "a header and a row per cell");
  const char separator = separator_of(line);
  const std::vector<std::string> header = fields_of(line, separator);
  TextTable out;
  std::set<std::string> seen;
  for (size_t i = 1; i < header.size(); ++i) {
    if (!seen.insert(header[i]).second) file.fail("column " + header[i] + " twice", "it once");
    out.columns.emplace_back(header[i], std::vector<std::string>());
  }
  seen.clear();
  while (file.next(line)) {
    if (line.empty()) continue;
    const size_t found = each_field(line, separator, [&](size_t i, std::string_view field) {
      if (i == 0)
        out.names.emplace_back(field);
      else if (i < header.size())
        out.columns[i - 1].second.emplace_back(field);
    });
    if (found != header.size()) fail_length(file, found, header.size());
    if (!seen.insert(out.names.back()).second)
      file.fail("cell " + out.names.back() + " again", "each cell once");
  }
  return out;
}

std::optional<Column> typed_column(const std::vector<std::string>& fields) {
  if (std::all_of(fields.begin(), fields.end(), is_missing)) return std::nullopt;
  if (const auto whole = numbers<int64_t>(fields, parse_int, std::nullopt)) return *whole;
  if (const auto reals =
          numbers<double>(fields, parse_double, std::numeric_limits<double>::quiet_NaN()))
    return *reals;
  Categorical out;
  std::map<std::string, int32_t> codes;
  for (const std::string& field : fields) {
    if (is_missing(field)) {
      out.codes.push_back(-1);
      continue;
    }
    const auto [at, added] = codes.try_emplace(field, static_cast<int32_t>(codes.size()));
    if (added) out.categories.push_back(field);
    out.codes.push_back(at->second);
  }
  if (fields.size() > 20 && 2 * codes.size() > fields.size()) return fields;
  return out;
}

}  // namespace cytograd::io
