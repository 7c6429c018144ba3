#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cytograd/core/parallel.h"
#include "cytograd/io/h5ad.h"

namespace cytograd::rna {

/// Parts fit together and values are finite and not negative. @throws ValueError, DataError
void check_expression(const char* op, const CsrMatrix& x);

/// Cells per chunk: depends on their number alone, and gives at most 32 chunks.
inline int64_t chunk_of(int64_t cells) { return std::max<int64_t>(1, (cells + 31) / 32); }

/// Sums over cells of f(value) per gene, values that are not stored left out. Chunks of cells are
/// added in order.
template <class F>
std::vector<double> sum_by_gene(const CsrMatrix& x, const F& f) {
  const int64_t grain = chunk_of(x.rows), chunks = (x.rows + grain - 1) / grain;
  std::vector<std::vector<double>> partial(static_cast<size_t>(chunks));
  parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) {
    std::vector<double>& sums = partial[static_cast<size_t>(begin / grain)];
    sums.assign(static_cast<size_t>(x.columns), 0.0);
    const int64_t last = x.indptr[static_cast<size_t>(end)];
    for (int64_t e = x.indptr[static_cast<size_t>(begin)]; e < last; ++e) {
      const auto at = static_cast<size_t>(e);
      const auto gene = static_cast<size_t>(x.indices[at]);
      sums[gene] += f(static_cast<double>(x.values[at]), gene);
    }
  });
  std::vector<double> out(static_cast<size_t>(x.columns), 0.0);
  for (const std::vector<double>& sums : partial)
    for (size_t g = 0; g < out.size(); ++g) out[g] += sums[g];
  return out;
}

}  // namespace cytograd::rna
