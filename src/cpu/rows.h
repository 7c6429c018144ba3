#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/simd/rows_table.h"
#include "cpu/strided_loop.h"
#include "kernels/math.h"

namespace cytograd::cpu {

/// The exponentials of the instruction set in use.
template <class T>
const simd::RowKernels<T>& row_kernels();

/// Calls f(first, end) for blocks of rows of n elements, in parallel.
template <class F>
void for_row_blocks(int64_t rows, int64_t n, F&& f) {
  parallel_for(rows, std::max<int64_t>(1, grain / std::max<int64_t>(n, 1)), f);
}

/// Calls f(row) for every row of n elements, in parallel.
template <class F>
void for_rows(int64_t rows, int64_t n, F&& f) {
  for_row_blocks(rows, n, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row);
  });
}

// Sums of a row run in `lanes` interleaved parts, which the compiler keeps in vector registers; the
// parts are added in pairs.
inline constexpr int lanes = 8;

/// sum of term(i) over [0, n) in float64.
template <class F>
double sum_terms(int64_t n, F&& term) {
  double part[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; ++j) part[j] += static_cast<double>(term(i + j));
  for (int j = 0; i < n; ++i, ++j) part[j] += static_cast<double>(term(i));
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

}  // namespace cytograd::cpu
