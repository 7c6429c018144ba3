#include "kernels/upsample.h"

#include <algorithm>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t kBlockElements = 1 << 16;

// Calls f(image, row) for all rows of all images; `elements` per row.
template <class F>
void for_each_row(int64_t images, int64_t rows, int64_t elements, F&& f) {
  const int64_t grain = std::max<int64_t>(1, kBlockElements / std::max<int64_t>(1, elements));
  parallel_for(images * rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i / rows, i % rows);
  });
}

template <class T>
void add_scaled(const T* __restrict from, T factor, int64_t count, T* __restrict to) {
  for (int64_t c = 0; c < count; ++c) to[c] += factor * from[c];
}

// Output rows that read row h.
std::pair<int64_t, int64_t> readers(const std::vector<Tap>& rows, int64_t h) {
  const auto first =
      std::partition_point(rows.begin(), rows.end(), [=](const Tap& t) { return t.high < h; });
  const auto last =
      std::partition_point(first, rows.end(), [=](const Tap& t) { return t.low <= h; });
  return {first - rows.begin(), last - rows.begin()};
}

}  // namespace

void upsample_nearest(CpuContext, const Tensor& x, const Taps& taps, const Tensor& y) {
  const int64_t h = x.size(1), w = x.size(2), c = x.size(3), oh = y.size(1), ow = y.size(2);
  dispatch_floating(x.dtype(), "upsample_nearest", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    for_each_row(x.size(0), oh, ow * c, [&](int64_t n, int64_t i) {
      const T* row = from + (n * h + taps.rows[i].low) * w * c;
      T* out = to + (n * oh + i) * ow * c;
      for (int64_t j = 0; j < ow; ++j) std::copy_n(row + taps.columns[j].low * c, c, out + j * c);
    });
  });
}

void upsample_nearest_backward(CpuContext, const Tensor& dy, const Taps& taps, const Tensor& dx) {
  const int64_t h = dx.size(1), w = dx.size(2), c = dx.size(3), oh = dy.size(1), ow = dy.size(2);
  dispatch_floating(dx.dtype(), "upsample_nearest", [&]<class T>() {
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    for_each_row(dx.size(0), h, w * c, [&](int64_t n, int64_t row) {
      T* out = to + (n * h + row) * w * c;
      std::fill_n(out, w * c, T(0));
      const auto [first, last] = readers(taps.rows, row);
      for (int64_t i = first; i < last; ++i)
        for (int64_t j = 0; j < ow; ++j)
          add_scaled(from + ((n * oh + i) * ow + j) * c, T(1), c, out + taps.columns[j].low * c);
    });
  });
}

void upsample_bilinear(CpuContext, const Tensor& x, const Taps& taps, const Tensor& y) {
  const int64_t h = x.size(1), w = x.size(2), c = x.size(3), oh = y.size(1), ow = y.size(2);
  dispatch_floating(x.dtype(), "upsample_bilinear", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    for_each_row(x.size(0), oh, ow * c, [&](int64_t n, int64_t i) {
      const Tap& row = taps.rows[i];
      const T *top = from + (n * h + row.low) * w * c, *bottom = from + (n * h + row.high) * w * c;
      const auto v1 = static_cast<T>(row.weight), v0 = static_cast<T>(1 - row.weight);
      for (int64_t j = 0; j < ow; ++j) {
        const Tap& column = taps.columns[j];
        const auto u1 = static_cast<T>(column.weight), u0 = static_cast<T>(1 - column.weight);
        const T* __restrict a = top + column.low * c, * __restrict b = top + column.high * c;
        const T* __restrict p = bottom + column.low * c, * __restrict q = bottom + column.high * c;
        T* __restrict out = to + ((n * oh + i) * ow + j) * c;
        for (int64_t k = 0; k < c; ++k)
          out[k] = v0 * (u0 * a[k] + u1 * b[k]) + v1 * (u0 * p[k] + u1 * q[k]);
      }
    });
  });
}

void upsample_bilinear_backward(CpuContext, const Tensor& dy, const Taps& taps, const Tensor& dx) {
  const int64_t h = dx.size(1), w = dx.size(2), c = dx.size(3), oh = dy.size(1), ow = dy.size(2);
  dispatch_floating(dx.dtype(), "upsample_bilinear", [&]<class T>() {
    const T* from = dy.data<T>();
    T* to = dx.data<T>();
    for_each_row(dx.size(0), h, w * c, [&](int64_t n, int64_t row) {
      T* out = to + (n * h + row) * w * c;
      std::fill_n(out, w * c, T(0));
      const auto [first, last] = readers(taps.rows, row);
      for (int64_t i = first; i < last; ++i) {
        const Tap& tap = taps.rows[i];
        // low and high coincide at the border: then both shares arrive here.
        const double share =
            (tap.low == row ? 1 - tap.weight : 0) + (tap.high == row ? tap.weight : 0);
        for (int64_t j = 0; j < ow; ++j) {
          const Tap& column = taps.columns[j];
          const T* g = from + ((n * oh + i) * ow + j) * c;
          add_scaled(g, static_cast<T>(share * (1 - column.weight)), c, out + column.low * c);
          add_scaled(g, static_cast<T>(share * column.weight), c, out + column.high * c);
        }
      }
    });
  });
}

}  // namespace cytograd::kernels
