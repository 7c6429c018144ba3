#include "cytograd/io/csv.h"

#include <vector>

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    using namespace cytograd;
    const CsvTable table(std::string(bytes), name);
    // What was read, written and read again is the same.
    std::string text = csv_row(table.header());
    for (size_t i = 0; i < table.rows(); ++i) {
      std::vector<std::string> fields;
      for (size_t j = 0; j < table.columns(); ++j) fields.emplace_back(table.at(i, j));
      text += csv_row(fields);
    }
    // A name that begins like a byte order mark would be taken for one.
    if (text.starts_with("\xEF\xBB\xBF") || text.starts_with("\xFF\xFE") ||
        text.starts_with("\xFE\xFF"))
      return;
    const CsvTable again(text, name);
    if (again.rows() != table.rows() || again.header() != table.header()) __builtin_trap();
    for (size_t i = 0; i < table.rows(); ++i)
      for (size_t j = 0; j < table.columns(); ++j)
        if (again.at(i, j) != table.at(i, j)) __builtin_trap();
  });
}
