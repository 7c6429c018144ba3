#pragma once

#include <cmath>

#include "cytograd/io/h5ad.h"

/// What every user of compressed rows relies on, and counts that are finite and at least 0.
inline void expect_rows(const cytograd::CsrMatrix& m) {
  if (m.indptr.size() != static_cast<size_t>(m.rows) + 1 || m.indptr.front() != 0 ||
      m.indptr.back() != static_cast<int64_t>(m.values.size()) ||
      m.indices.size() != m.values.size())
    __builtin_trap();
  for (size_t i = 0; i + 1 < m.indptr.size(); ++i)
    for (int64_t e = m.indptr[i]; e < m.indptr[i + 1]; ++e) {
      const auto at = static_cast<size_t>(e);
      if (m.indices[at] < 0 || m.indices[at] >= m.columns || !(m.values[at] > 0)) __builtin_trap();
      if (e > m.indptr[i] && m.indices[at] <= m.indices[at - 1]) __builtin_trap();
    }
}
