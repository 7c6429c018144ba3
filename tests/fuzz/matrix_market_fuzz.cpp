#include "io/matrix_market.h"

#include <memory>

#include "cell_rows.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return expect_data_errors_only(data, size, [](std::string_view bytes, const std::string& name) {
    using namespace cytograd::io;
    TextLines file(std::make_unique<MemorySource>(bytes), name);
    MarketMatrix m = read_matrix_market(file);
    // A header alone may promise two thousand million rows.
    if (m.rows > 1'000'000 || m.columns > 1'000'000) return;
    cytograd::CsrMatrix x = m.entries.take_turned(m.rows, m.columns);
    Tidied done;
    tidy(x, done);
    expect_rows(x);
  });
}
