#pragma once

#include <algorithm>
#include <type_traits>
#include <vector>

#include "core/isa.h"
#include "cpu/simd/row_pairs_table.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/tensor.h"

/// @file
/// What the distance kernels share: rows of x against rows of y, and a set against itself.

namespace cytograd::cpu {

template <class T>
const simd::RowPairKernels<T>& row_pairs() {
  const simd::RowPairTable* table = &simd::row_pairs_portable;
#if defined(__x86_64__)
  if (current_isa() == Isa::avx2) table = &simd::row_pairs_avx2;
  if (current_isa() == Isa::avx512) table = &simd::row_pairs_avx512;
#endif
  if constexpr (std::is_same_v<T, float>)
    return table->f32;
  else
    return table->f64;
}

/// The same rows: half of the distances follow from the other half.
inline bool same_rows(const Tensor& x, const Tensor& y) {
  return x.raw_data() == y.raw_data() && x.size(0) == y.size(0);
}

/// Calls `row(i, first, count, out)`, which fills out[j] for row first + j of y, and stores
/// `last(out[j])`. Of a set against itself only first + j >= i is asked for; a chunk pairs long
/// rows with short ones. A few rows of x meet a block of y while it is in the first-level cache.
template <class T, class Row, class Last>
void fill_distances(const Tensor& x, const Tensor& y, const Tensor& d, Row row, Last last) {
  constexpr int64_t group = 4, most = 256, block_bytes = int64_t{16} << 10;
  const int64_t n = x.size(0), m = y.size(0);
  const int64_t row_bytes = std::max<int64_t>(1, y.size(1) * static_cast<int64_t>(sizeof(T)));
  const int64_t block = std::clamp<int64_t>(block_bytes / row_bytes, 4, most);
  const bool same = same_rows(x, y);
  T* out = d.data<T>();
  const auto fill = [=](int64_t g) {
    double sums[most];
    const int64_t top = g * group, bottom = std::min(top + group, n);
    for (int64_t first = same ? top : 0; first < m; first += block) {
      const int64_t end = std::min(first + block, m);
      for (int64_t i = top; i < bottom; ++i) {
        const int64_t from = same ? std::max(first, i) : first;
        if (from >= end) continue;
        row(i, from, end - from, sums);
        for (int64_t j = from; j < end; ++j) {
          const T value = static_cast<T>(last(sums[j - from]));
          out[i * m + j] = value;
          if (same) out[j * m + i] = value;
        }
      }
    }
  };
  const int64_t groups = (n + group - 1) / group;
  parallel_for((groups + 1) / 2, 1, [=](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      fill(g);
      if (groups - 1 - g != g) fill(groups - 1 - g);
    }
  });
}

/// The gradient of a set against itself from symmetric weights [n, n]. Chunks are strips of
/// columns, so that the two rows of a pair are written by one of them.
template <class T>
void own_backward(const Tensor& x, const T* weight,
                  void (*kernel)(const T* x, int64_t n, const T* weight, T* dx), const Tensor& dx) {
  constexpr int64_t strip = simd::pair_strip<T>;
  const int64_t n = x.size(0), width = x.size(1);
  const T* xs = x.data<T>();
  T* out = dx.data<T>();
  parallel_for((width + strip - 1) / strip, 1, [=](int64_t begin, int64_t end) {
    std::vector<T> buffer(static_cast<size_t>(2 * n * strip));
    T *from = buffer.data(), *to = from + n * strip;
    for (int64_t s = begin; s < end; ++s) {
      const int64_t columns = std::min(strip, width - s * strip);
      for (int64_t i = 0; i < n; ++i)
        std::copy_n(xs + i * width + s * strip, columns, from + i * strip);
      kernel(from, n, weight, to);
      for (int64_t i = 0; i < n; ++i)
        std::copy_n(to + i * strip, columns, out + i * width + s * strip);
    }
  });
}

}  // namespace cytograd::cpu
