#include "kernels/cholesky.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cytograd/core/parallel.h"
#include "kernels/gemm.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t kBlock = 64;

// -a of rows x columns, packed: products are only ever added.
template <class T>
std::vector<T> negated(const T* a, int64_t step, int64_t rows, int64_t columns) {
  std::vector<T> out(static_cast<size_t>(rows * columns));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      out[static_cast<size_t>(i * columns + j)] = -a[i * step + j];
  return out;
}

// Row i of a factor from columns first .. end - 1 of the block: all rows above are done.
template <class T>
void factor_row(T* l, int64_t n, int64_t i, int64_t first, int64_t end) {
  for (int64_t j = first; j < std::min(end, i + 1); ++j) {
    double sum = static_cast<double>(l[i * n + j]);
    for (int64_t k = first; k < j; ++k)
      sum -= static_cast<double>(l[i * n + k]) * static_cast<double>(l[j * n + k]);
    if (i == j)
      l[i * n + i] = sum > 0 ? static_cast<T>(std::sqrt(sum)) : std::numeric_limits<T>::quiet_NaN();
    else
      l[i * n + j] = static_cast<T>(sum / static_cast<double>(l[j * n + j]));
  }
}

// Right-looking: a block of columns, then what it takes off the columns after it.
template <class T>
void factor(T* l, int64_t n) {
  for (int64_t b = 0; b < n; b += kBlock) {
    const int64_t end = std::min(n, b + kBlock), width = end - b;
    for (int64_t i = b; i < end; ++i) factor_row(l, n, i, b, end);
    parallel_for(n - end, 16, [=](int64_t first, int64_t last) {
      for (int64_t i = end + first; i < end + last; ++i) factor_row(l, n, i, b, end);
    });
    const std::vector<T> panel = negated(l + end * n + b, n, n - end, width);
    for (int64_t c = end; c < n; c += kBlock)
      gemm<T>(false, true, n - c, std::min(kBlock, n - c), width, panel.data() + (c - end) * width,
              width, l + c * n + b, n, l + c * n + c, n, true);
  }
  for (int64_t i = 0; i < n; ++i) std::fill(l + i * n + i + 1, l + (i + 1) * n, T(0));
}

// Rows [first, end) of x from the diagonal block alone.
template <class T>
void solve_block(const T* l, int64_t n, int64_t first, int64_t end, bool transposed, T* x,
                 int64_t columns) {
  parallel_for(columns, 64, [=](int64_t from, int64_t to) {
    for (int64_t step = 0; step < end - first; ++step) {
      const int64_t i = transposed ? end - 1 - step : first + step;
      T* row = x + i * columns;
      for (int64_t k = transposed ? i + 1 : first; k < (transposed ? end : i); ++k) {
        const T weight = transposed ? l[k * n + i] : l[i * n + k];
        const T* other = x + k * columns;
        for (int64_t j = from; j < to; ++j) row[j] -= weight * other[j];
      }
      const T pivot = l[i * n + i];
      for (int64_t j = from; j < to; ++j) row[j] /= pivot;
    }
  });
}

}  // namespace

void cholesky(CpuContext, const Tensor& l) {
  dispatch_floating(l.dtype(), "cholesky", [&]<class T>() { factor(l.data<T>(), l.size(0)); });
}

void triangular_solve(CpuContext, const Tensor& l, bool transposed, const Tensor& x) {
  const int64_t n = l.size(0), columns = x.size(1), blocks = (n + kBlock - 1) / kBlock;
  dispatch_floating(l.dtype(), "triangular_solve", [&]<class T>() {
    const T* from = l.data<T>();
    T* to = x.data<T>();
    for (int64_t step = 0; step < blocks; ++step) {
      const int64_t first = (transposed ? blocks - 1 - step : step) * kBlock,
                    end = std::min(n, first + kBlock), width = end - first;
      solve_block(from, n, first, end, transposed, to, columns);
      if (transposed) {  // rows above: minus l[first .. end, above]^T
        const std::vector<T> panel = negated(from + first * n, n, width, first);
        gemm<T>(true, false, first, columns, width, panel.data(), first, to + first * columns,
                columns, to, columns, true);
      } else {
        const std::vector<T> panel = negated(from + end * n + first, n, n - end, width);
        gemm<T>(false, false, n - end, columns, width, panel.data(), width, to + first * columns,
                columns, to + end * columns, columns, true);
      }
    }
  });
}

void lower_triangle(CpuContext, const Tensor& x, double factor, double diagonal, const Tensor& y) {
  const int64_t n = x.size(0);
  dispatch_floating(x.dtype(), "cholesky", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const T below = static_cast<T>(factor), on = static_cast<T>(factor * diagonal);
    parallel_for(n, 64, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < n; ++j)
          to[i * n + j] = j < i ? below * from[i * n + j] : j == i ? on * from[i * n + j] : T(0);
    });
  });
}

}  // namespace cytograd::kernels
