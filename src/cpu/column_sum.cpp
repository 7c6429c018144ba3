#include "kernels/column_sum.h"

#include <algorithm>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {

void column_sum(CpuContext, const Tensor& x, const Tensor& sums) {
  constexpr int64_t kRows = 256;  // short enough that float partial sums keep their digits
  const int64_t columns = sums.numel(), rows = columns ? x.numel() / columns : 0;
  const int64_t chunks = (rows + kRows - 1) / kRows;
  dispatch_floating(x.dtype(), "column_sum", [&]<class T>() {
    const Tensor partial = Tensor::empty({chunks, columns}, x.dtype());
    const T* from = x.data<T>();
    T *parts = partial.data<T>(), *out = sums.data<T>();
    parallel_for(rows, kRows, [=](int64_t begin, int64_t end) {
      T* part = parts + begin / kRows * columns;
      std::fill_n(part, columns, T(0));
      int64_t r = begin;
      for (; r + 4 <= end; r += 4) {  // in pairs: a quarter of the roundings that pile up
        const T *x0 = from + r * columns, *x1 = x0 + columns, *x2 = x1 + columns,
                *x3 = x2 + columns;
        for (int64_t c = 0; c < columns; ++c) part[c] += (x0[c] + x1[c]) + (x2[c] + x3[c]);
      }
      for (; r < end; ++r)
        for (int64_t c = 0; c < columns; ++c) part[c] += from[r * columns + c];
    });
    parallel_for(columns, 256, [=](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        double sum = 0;
        for (int64_t k = 0; k < chunks; ++k) sum += static_cast<double>(parts[k * columns + c]);
        out[c] = static_cast<T>(sum);
      }
    });
  });
}

}  // namespace cytograd::kernels
