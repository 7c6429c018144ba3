#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/io/h5ad.h"

namespace cytograd::test {

/// Compressed rows of a matrix that is written out; zeros are not stored.
inline CsrMatrix sparse(const std::vector<std::vector<float>>& rows) {
  CsrMatrix out;
  out.rows = static_cast<int64_t>(rows.size());
  out.columns = static_cast<int64_t>(rows[0].size());
  out.indptr.push_back(0);
  for (const std::vector<float>& row : rows) {
    for (size_t g = 0; g < row.size(); ++g) {
      if (row[g] == 0) continue;
      out.indices.push_back(static_cast<int32_t>(g));
      out.values.push_back(row[g]);
    }
    out.indptr.push_back(static_cast<int64_t>(out.values.size()));
  }
  return out;
}

}  // namespace cytograd::test
