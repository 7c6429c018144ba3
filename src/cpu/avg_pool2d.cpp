#include "cpu/pool2d.h"

namespace cytograd::kernels {
namespace {

using cpu::kPoolStrip;
using cpu::PoolSizes;

// A large window is summed in T over short runs of its rows and in float64 across them.
constexpr int64_t kShortSum = 16;

template <class T>
void add_row(const T* row, int64_t pixels, int64_t stride, int64_t width, T* sum) {
  for (int64_t w = 0; w < pixels; ++w) {
    const T* __restrict x = row + w * stride;
    for (int64_t c = 0; c < width; ++c) sum[c] += x[c];
  }
}

template <class T>
void mean_of_window(const T* image, const PoolSizes& s, const PoolWindow& row,
                    const PoolWindow& column, int64_t width, T* y) {
  const int64_t columns = column.end - column.begin, divisor = row.divisor * column.divisor;
  T sum[kPoolStrip];
  std::fill_n(sum, width, T(0));
  if ((row.end - row.begin) * columns <= kShortSum) {
    for (int64_t h = row.begin; h < row.end; ++h)
      add_row(image + (h * s.w + column.begin) * s.c, columns, s.c, width, sum);
    for (int64_t c = 0; c < width; ++c) y[c] = sum[c] / static_cast<T>(divisor);
    return;
  }
  double total[kPoolStrip];
  std::fill_n(total, width, 0.0);
  for (int64_t h = row.begin; h < row.end; ++h) {
    for (int64_t w = column.begin; w < column.end; w += kShortSum) {
      add_row(image + (h * s.w + w) * s.c, std::min(kShortSum, column.end - w), s.c, width, sum);
      for (int64_t c = 0; c < width; ++c) total[c] += sum[c];
      std::fill_n(sum, width, T(0));
    }
  }
  for (int64_t c = 0; c < width; ++c)
    y[c] = static_cast<T>(total[c] / static_cast<double>(divisor));
}

// dx of one input row: every window that holds it sends dy / divisor to each of its pixels.
template <class T>
void backward_row(const PoolSizes& s, const PoolWindows& windows, int64_t h, const T* dy, T* dx) {
  std::fill_n(dx, s.w * s.c, T(0));
  const auto [first, last] = cpu::windows_meeting(windows.rows, h, h + 1);
  for (int64_t i = first; i < last; ++i)
    for (int64_t j = 0; j < s.ow; ++j) {
      const PoolWindow& column = windows.columns[j];
      const auto divisor = static_cast<T>(windows.rows[i].divisor * column.divisor);
      const T share = T(1) / divisor;
      const T* __restrict from = dy + (i * s.ow + j) * s.c;
      for (int64_t w = column.begin; w < column.end; ++w) {
        T* __restrict to = dx + w * s.c;
        for (int64_t c = 0; c < s.c; ++c) to[c] += from[c] * share;
      }
    }
}

}  // namespace

void avg_pool2d(CpuContext, const Tensor& x, const PoolWindows& windows, const Tensor& y) {
  const PoolSizes s(x, y);
  if (y.numel() == 0) return;
  const int64_t cost = (windows.rows[0].end - windows.rows[0].begin) *
                       (windows.columns[0].end - windows.columns[0].begin);
  dispatch_floating(x.dtype(), "avg_pool2d", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    cpu::for_each_output(s, cost,
                         [&](int64_t n, int64_t i, int64_t j, int64_t channel, int64_t width) {
                           mean_of_window(from + n * s.h * s.w * s.c + channel, s, windows.rows[i],
                                          windows.columns[j], width,
                                          to + ((n * s.oh + i) * s.ow + j) * s.c + channel);
                         });
  });
}

void avg_pool2d_backward(CpuContext, const Tensor& dy, const PoolWindows& windows,
                         const Tensor& dx) {
  const PoolSizes s(dx, dy);
  dispatch_floating(dx.dtype(), "avg_pool2d", [&]<class T>() {
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    parallel_for(s.n * s.h, cpu::rows_per_block(s), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        backward_row(s, windows, row % s.h, from + row / s.h * s.oh * s.ow * s.c,
                     to + row * s.w * s.c);
    });
  });
}

}  // namespace cytograd::kernels
