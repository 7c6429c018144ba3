#include <type_traits>

#include "core/isa.h"
#include "cpu/pool2d.h"
#include "cpu/simd/max_pool_table.h"

namespace cytograd::kernels {
namespace {

using cpu::kPoolStrip;
using cpu::PoolSizes;

const simd::MaxPoolTable& table() { return CYTOGRAD_OF_ISA(simd::max_pool); }

/// As wide as T, so that comparing and choosing stay in lanes of one width.
template <class T>
using Position = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
template <class T>
using WindowKernel = void (*)(const simd::MaxWindow<T, Position<T>>&);

template <class T>
WindowKernel<T> window_kernel() {
  if constexpr (sizeof(T) == 4)
    return table().f32;
  else
    return table().f64;
}

template <class T, class Index>
void forward(const Tensor& x, const PoolWindows& windows, const Tensor& y, Index* index) {
  if (y.numel() == 0) return;
  const PoolSizes s(x, y);
  const T* from = x.data<T>();
  T* to = y.data<T>();
  const WindowKernel<T> pool_window = window_kernel<T>();
  const int64_t cost = (windows.rows[0].end - windows.rows[0].begin) *
                       (windows.columns[0].end - windows.columns[0].begin);
  cpu::for_each_output(
      s, cost, [&](int64_t n, int64_t i, int64_t j, int64_t channel, int64_t width) {
        const PoolWindow &row = windows.rows[i], &column = windows.columns[j];
        const int64_t at = ((n * s.oh + i) * s.ow + j) * s.c + channel;
        Position<T> position[kPoolStrip];
        pool_window({.x = from + ((n * s.h + row.begin) * s.w + column.begin) * s.c + channel,
                     .rows = row.end - row.begin,
                     .columns = column.end - column.begin,
                     .row_stride = s.w * s.c,
                     .pixel_stride = s.c,
                     .channels = width,
                     .best = to + at,
                     .position = position});
        if (!index) return;
        for (int64_t c = 0; c < width; ++c) index[at + c] = static_cast<Index>(position[c]);
      });
}

// One block of input rows [begin, end) of one image: adds what its windows send there, in the
// order of the windows.
template <class T, class Index>
void backward_block(const PoolSizes& s, const PoolWindows& windows, int64_t begin, int64_t end,
                    const T* dy, const Index* index, T* dx) {
  std::fill(dx + begin * s.w * s.c, dx + end * s.w * s.c, T(0));
  std::vector<int64_t> target;  // element of each pixel of a window, -1 outside this block
  const auto [first, last] = cpu::windows_meeting(windows.rows, begin, end);
  for (int64_t i = first; i < last; ++i) {
    const PoolWindow& row = windows.rows[i];
    const bool inside = row.begin >= begin && row.end <= end;
    for (int64_t j = 0; j < s.ow; ++j) {
      const PoolWindow& column = windows.columns[j];
      target.clear();
      for (int64_t h = row.begin; h < row.end; ++h)
        for (int64_t w = column.begin; w < column.end; ++w)
          target.push_back(h >= begin && h < end ? (h * s.w + w) * s.c : -1);
      const T* from = dy + (i * s.ow + j) * s.c;
      const Index* k = index + (i * s.ow + j) * s.c;
      const int64_t* to = target.data();
      if (inside) {
        for (int64_t c = 0; c < s.c; ++c) dx[to[k[c]] + c] += from[c];
      } else {
        for (int64_t c = 0; c < s.c; ++c)
          if (to[k[c]] >= 0) dx[to[k[c]] + c] += from[c];
      }
    }
  }
}

template <class F>
void with_index_type(const Tensor& index, F&& f) {
  if (!index.defined() || index.dtype() == Dtype::uint8)
    f(index.defined() ? index.data<uint8_t>() : nullptr);
  else
    f(index.data<int64_t>());
}

}  // namespace

void max_pool2d(CpuContext, const Tensor& x, const PoolWindows& windows, const Tensor& y,
                const Tensor& index) {
  dispatch_floating(x.dtype(), "max_pool2d", [&]<class T>() {
    with_index_type(index, [&](auto* position) { forward<T>(x, windows, y, position); });
  });
}

void max_pool2d_backward(CpuContext, const Tensor& dy, const Tensor& index,
                         const PoolWindows& windows, const Tensor& dx) {
  const PoolSizes s(dx, dy);
  const int64_t block = cpu::rows_per_block(s), blocks = (s.h + block - 1) / block;
  dispatch_floating(dx.dtype(), "max_pool2d", [&]<class T>() {
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    with_index_type(index, [&](const auto* position) {
      parallel_for(s.n * blocks, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          const int64_t n = i / blocks, begin = i % blocks * block,
                        end = std::min(s.h, begin + block);
          const int64_t out = n * s.oh * s.ow * s.c;
          backward_block(s, windows, begin, end, from + out, position + out,
                         to + n * s.h * s.w * s.c);
        }
      });
    });
  });
}

}  // namespace cytograd::kernels
