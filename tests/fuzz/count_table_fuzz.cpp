#include "io/count_table.h"

#include <memory>

#include "cell_rows.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    using namespace cytograd::io;
    // The first byte says which of the two tables it is.
    const bool about = bytes.starts_with('a');
    if (!bytes.empty()) bytes.remove_prefix(1);
    TextLines file(std::make_unique<MemorySource>(bytes), name);
    if (about) {
      const TextTable table = read_text_table(file);
      for (const auto& [column, fields] : table.columns) {
        if (fields.size() != table.names.size()) __builtin_trap();
        const auto typed = typed_column(fields);
        if (!typed) continue;
        const size_t rows = std::visit(
            [](const auto& v) {
              if constexpr (std::is_same_v<std::decay_t<decltype(v)>, cytograd::Categorical>)
                return v.codes.size();
              else
                return v.size();
            },
            *typed);
        if (rows != fields.size()) __builtin_trap();
      }
      return;
    }
    const CountTable table = read_count_table(file);
    if (table.x.rows != static_cast<int64_t>(table.cells.size()) ||
        table.x.columns != static_cast<int64_t>(table.genes.size()))
      __builtin_trap();
    expect_rows(table.x);
  });
}
