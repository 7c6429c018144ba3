#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/strided_loop.h"
#include "kernels/math.h"

namespace cytograd::cpu {

/// Calls f(row) for every row of n elements, in parallel.
template <class F>
void for_rows(int64_t rows, int64_t n, F&& f) {
  parallel_for(rows, std::max<int64_t>(1, grain / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
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

/// Largest element of a row, -inf for none. NaN is passed over: what follows meets it anyway.
template <class T>
T row_max(const T* x, int64_t n) {
  T part[lanes];
  std::fill(part, part + lanes, -std::numeric_limits<T>::infinity());
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; ++j) part[j] = x[i + j] > part[j] ? x[i + j] : part[j];
  for (int j = 0; i < n; ++i, ++j) part[j] = x[i] > part[j] ? x[i] : part[j];
  return *std::max_element(part, part + lanes);
}

/// log(sum(exp(x))) of a row.
template <class T>
double row_logsumexp(const T* x, int64_t n) {
  T m = row_max(x, n);
  if (std::isinf(m)) m = 0;  // -inf: every term is 0 (or NaN); +inf: one is +inf
  return std::log(sum_terms(n, [=](int64_t i) { return math::exp(x[i] - m); })) +
         static_cast<double>(m);
}

}  // namespace cytograd::cpu
