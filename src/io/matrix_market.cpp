#include "io/matrix_market.h"

#include <array>
#include <cmath>
#include <vector>

#include "cytograd/io/text.h"

namespace cytograd::io {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view banner = "%%matrixmarket";

// The next word of a line, "" at its end.
std::string_view word(std::string_view& rest) {
  const size_t begin = rest.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  rest.remove_prefix(begin);
  const std::string_view out = rest.substr(0, rest.find_first_of(blanks));
  rest.remove_prefix(out.size());
  return out;
}

// The three words of a line; all empty where there are more or fewer.
std::array<std::string_view, 3> three_words(std::string_view line) {
  std::array<std::string_view, 3> out;
  for (std::string_view& w : out) w = word(line);
  if (out[2].empty() || !word(line).empty()) return {};
  return out;
}

// @return whether values are whole numbers
bool read_banner(TextLines& file) {
  std::string_view line;
  if (!file.next(line)) file.fail_file("an empty file", "%%MatrixMarket in the first line");
  const std::string text = to_lower_ascii(line);
  std::string_view rest = text;
  std::array<std::string_view, 5> words;
  for (std::string_view& w : words) w = word(rest);
  if (words[0] != banner) file.fail("another first line", "%%MatrixMarket matrix coordinate ...");
  const bool whole = words[3] == "integer";
  if (words[1] != "matrix" || words[2] != "coordinate" || (!whole && words[3] != "real") ||
      words[4] != "general")
    file.fail('"' + std::string(line) + '"',
              "%%MatrixMarket matrix coordinate integer|real general");
  return whole;
}

struct Sizes {
  int64_t rows = 0, columns = 0, entries = 0;
};

Sizes read_sizes(TextLines& file) {
  std::string_view line;
  while (file.next(line)) {
    if (line.starts_with('%') || trim(line).empty()) continue;
    const auto words = three_words(line);
    const auto rows = parse_int(words[0]), columns = parse_int(words[1]),
               entries = parse_int(words[2]);
    if (!rows || !columns || !entries || *rows < 0 || *columns < 0 || *entries < 0 ||
        *rows > most_entries || *columns > most_entries)
      file.fail('"' + std::string(line.substr(0, 80)) + '"',
                "rows, columns and the number of entries, rows and columns below 2^31");
    // Both factors are below 2^31.
    if (*entries > *rows * *columns)
      file.fail(std::to_string(*entries) + " entries",
                "at most " + std::to_string(*rows * *columns) + " in " + std::to_string(*rows) +
                    " x " + std::to_string(*columns));
    return {*rows, *columns, *entries};
  }
  file.fail_file("no line of sizes", "rows, columns and the number of entries");
}

// A number of a row or column, from 0.
int64_t position(const TextLines& file, std::string_view text, int64_t most, const char* what) {
  const auto n = parse_int(text);
  if (!n || *n < 1 || *n > most)
    file.fail(std::string(what) + " " + std::string(text.substr(0, 40)),
              "1 to " + std::to_string(most));
  return *n - 1;
}

}  // namespace

bool is_matrix_market(std::string_view first_line) {
  return to_lower_ascii(first_line.substr(0, banner.size())) == banner;
}

MarketMatrix read_matrix_market(TextLines& file) {
  const bool whole = read_banner(file);
  const Sizes sizes = read_sizes(file);
  MarketMatrix out{sizes.rows, sizes.columns, {}};
  std::string_view line;
  while (file.next(line)) {
    if (trim(line).empty()) continue;
    if (out.entries.size() == sizes.entries)
      file.fail("more entries", std::to_string(sizes.entries) + ", as the header says");
    const auto [row, column, value] = three_words(line);
    if (value.empty())
      file.fail('"' + std::string(line.substr(0, 80)) + '"', "a row, a column and a value");
    const int64_t i = position(file, row, sizes.rows, "row"),
                  j = position(file, column, sizes.columns, "column");
    const auto number = parse_count(value);
    if (!number || (whole && *number != std::floor(*number)))
      file.fail("value " + std::string(value.substr(0, 40)),
                whole ? "a whole number of at least 0" : "a finite number of at least 0");
    out.entries.add(i, j, *number);
  }
  if (out.entries.size() != sizes.entries)
    file.fail_file("ends after " + std::to_string(out.entries.size()) + " entries",
                   std::to_string(sizes.entries) + ", as the header says", "copy it again");
  return out;
}

}  // namespace cytograd::io
