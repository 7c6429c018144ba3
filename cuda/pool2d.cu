#include "kernels/pool2d.h"

#include "cuda/core/image.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

using Axis = kernels::PoolAxisOf<int>;
using Window = kernels::PoolWindowOf<int>;

Axis axis_of(const kernels::PoolAxis& a) {
  return {axis_int(a.size),   axis_int(a.count),   axis_int(a.kernel),
          axis_int(a.stride), axis_int(a.padding), a.count_padding};
}

struct PoolSizes {
  int h, w, c, oh, ow;
  Axis rows, columns;
  PoolSizes(const Tensor& x, const Tensor& y, const kernels::PoolWindows& windows)
      : h(axis_int(x.size(1))),
        w(axis_int(x.size(2))),
        c(axis_int(x.size(3))),
        oh(axis_int(y.size(1))),
        ow(axis_int(y.size(2))),
        rows(axis_of(windows.row_axis)),
        columns(axis_of(windows.column_axis)) {}
  __device__ int64_t in(int64_t n, int i, int j) const { return ((n * h + i) * w + j) * c; }
  __device__ int64_t out(int64_t n, int i, int j) const { return ((n * oh + i) * ow + j) * c; }
};

// Windows first .. last - 1 hold pixel p.
struct Meeting {
  int first, last;
  __device__ Meeting(const Axis& a, int p) {
    if (a.stride == 0) {
      first = static_cast<int>(quotient(int64_t{p} * a.count, a.size));
      last = static_cast<int>(quotient((int64_t{p} + 1) * a.count + a.size - 1, a.size));
    } else {
      const int at = p + a.padding;
      first = at < a.kernel ? 0 : (at - a.kernel) / a.stride + 1;
      last = at / a.stride + 1;
    }
    last = last < a.count ? last : a.count;
  }
};

// V positions at once where they fill an access.
template <int V, class I>
struct Positions {
  I v[V];
  static constexpr bool one_access = sizeof(I) * V >= 4 && sizeof(I) * V <= 16;
  __device__ static Positions load(const I* from) {
    if constexpr (one_access) {
      const auto raw = ld16<Pack<I, V>>(from);
      Positions out;
#pragma unroll
      for (int k = 0; k < V; ++k) out.v[k] = raw.v[k];
      return out;
    } else {
      Positions out;
#pragma unroll
      for (int k = 0; k < V; ++k) out.v[k] = from[k];
      return out;
    }
  }
  __device__ void store(I* to) const {
    if constexpr (one_access) {
      Pack<I, V> raw;
#pragma unroll
      for (int k = 0; k < V; ++k) raw.v[k] = v[k];
      st16(to, raw);
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k) to[k] = v[k];
    }
  }
};

// The first largest value of a window, or its last NaN; the same as on the CPU.
template <int V, class T, class I>
__global__ void __launch_bounds__(256, 3)
    max_pool(ImageGrid g, PoolSizes s, const T* __restrict__ x, T* __restrict__ y,
             I* __restrict__ index) {
  for_each_pixel<V>(g, [&](int64_t n, int i, int j, int channel) {
    const Window row = s.rows.window(i), column = s.columns.window(j);
    Vector<T, V> best = load<V>(x + s.in(n, row.begin, column.begin) + channel);
    int at[V] = {}, position = 0;
    for (int h = row.begin; h < row.end; ++h)
      for (int w = column.begin; w < column.end; ++w, ++position) {
        const Vector<T, V> p = load<V>(x + s.in(n, h, w) + channel);
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const bool take = p.v[k] > best.v[k] || p.v[k] != p.v[k];
          best.v[k] = take ? p.v[k] : best.v[k];
          at[k] = take ? position : at[k];
        }
      }
    store<V>(y + s.out(n, i, j) + channel, best);
    if (!index) return;
    Positions<V, I> found;
#pragma unroll
    for (int k = 0; k < V; ++k) found.v[k] = static_cast<I>(at[k]);
    found.store(index + s.out(n, i, j) + channel);
  });
}

// Every input pixel gathers, in the order of the windows, what they send there.
template <int V, class T, class I>
__global__ void __launch_bounds__(256, 3)
    max_pool_backward(ImageGrid g, PoolSizes s, const T* __restrict__ dy,
                      const I* __restrict__ index, T* __restrict__ dx) {
  for_each_pixel<V>(g, [&](int64_t n, int h, int w, int channel) {
    const Meeting rows(s.rows, h), columns(s.columns, w);
    Vector<T, V> sum{};
    for (int i = rows.first; i < rows.last; ++i) {
      const Window row = s.rows.window(i);
      for (int j = columns.first; j < columns.last; ++j) {
        const Window column = s.columns.window(j);
        const int here = (h - row.begin) * (column.end - column.begin) + (w - column.begin);
        const int64_t from = s.out(n, i, j) + channel;
        const auto chosen = Positions<V, I>::load(index + from);
        const Vector<T, V> g = load<V>(dy + from);
#pragma unroll
        for (int k = 0; k < V; ++k) sum.v[k] += static_cast<int>(chosen.v[k]) == here ? g.v[k] : 0;
      }
    }
    store<V>(dx + s.in(n, h, w) + channel, sum);
  });
}

constexpr int short_sum = 16;  // pixels that are summed before they go to a double

template <int V, class T>
__global__ void __launch_bounds__(256, 3)
    avg_pool(ImageGrid g, PoolSizes s, const T* __restrict__ x, T* __restrict__ y) {
  for_each_pixel<V>(g, [&](int64_t n, int i, int j, int channel) {
    const Window row = s.rows.window(i), column = s.columns.window(j);
    double total[V] = {};
    for (int h = row.begin; h < row.end; ++h)
      for (int w0 = column.begin; w0 < column.end; w0 += short_sum) {
        const int end = min(w0 + short_sum, column.end);
        Vector<T, V> sum{};
        for (int w = w0; w < end; ++w) {
          const Vector<T, V> p = load<V>(x + s.in(n, h, w) + channel);
#pragma unroll
          for (int k = 0; k < V; ++k) sum.v[k] += p.v[k];
        }
#pragma unroll
        for (int k = 0; k < V; ++k) total[k] += static_cast<double>(sum.v[k]);
      }
    const auto divisor = static_cast<double>(int64_t{row.divisor} * column.divisor);
    Vector<T, V> mean;
#pragma unroll
    for (int k = 0; k < V; ++k) mean.v[k] = static_cast<Accumulator<T>>(total[k] / divisor);
    store<V>(y + s.out(n, i, j) + channel, mean);
  });
}

template <int V, class T>
__global__ void __launch_bounds__(256, 3)
    avg_pool_backward(ImageGrid g, PoolSizes s, const T* __restrict__ dy, T* __restrict__ dx) {
  using A = Accumulator<T>;
  for_each_pixel<V>(g, [&](int64_t n, int h, int w, int channel) {
    const Meeting rows(s.rows, h), columns(s.columns, w);
    Vector<T, V> sum{};
    for (int i = rows.first; i < rows.last; ++i) {
      const int64_t divisor = s.rows.window(i).divisor;
      for (int j = columns.first; j < columns.last; ++j) {
        const A share = A(1) / static_cast<A>(divisor * s.columns.window(j).divisor);
        const Vector<T, V> p = load<V>(dy + s.out(n, i, j) + channel);
#pragma unroll
        for (int k = 0; k < V; ++k) sum.v[k] += p.v[k] * share;
      }
    }
    store<V>(dx + s.in(n, h, w) + channel, sum);
  });
}

// Calls f with the index as the pointer that it is; null uint8 if there is none.
template <class F>
void with_index(const Tensor& index, F&& f) {
  if (!index.defined() || index.dtype() == Dtype::uint8)
    f(index.defined() ? index.data<uint8_t>() : static_cast<uint8_t*>(nullptr));
  else
    f(index.data<int64_t>());
}

ImageGrid grid_of(const Tensor& t, int pack) {
  return {t.size(0), t.size(1), t.size(2), t.size(3), pack};
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void max_pool2d(CudaContext ctx, const Tensor& x, const PoolWindows& windows, const Tensor& y,
                const Tensor& index) {
  if (y.numel() == 0) return;
  dispatch_storage(x.dtype(), "max_pool2d", [&]<class T>() {
    with_packs<T>({x.data<T>(), y.data<T>()}, {x.size(3)}, [&]<int V>() {
      with_index(index, [&]<class I>(I* position) {
        const ImageGrid g = grid_of(y, V);
        launch("max_pool2d", max_pool<V, T, I>, g.grid(), g.block(), 0, ctx, g,
               PoolSizes(x, y, windows), x.data<T>(), y.data<T>(), position);
      });
    });
  });
}

void max_pool2d_backward(CudaContext ctx, const Tensor& dy, const Tensor& index,
                         const PoolWindows& windows, const Tensor& dx) {
  if (dx.numel() == 0) return;
  dispatch_storage(dx.dtype(), "max_pool2d", [&]<class T>() {
    with_packs<T>({dy.data<T>(), dx.data<T>()}, {dx.size(3)}, [&]<int V>() {
      with_index(index, [&]<class I>(I* position) {
        const ImageGrid g = grid_of(dx, V);
        launch("max_pool2d", max_pool_backward<V, T, I>, g.grid(), g.block(), 0, ctx, g,
               PoolSizes(dx, dy, windows), dy.data<T>(), position, dx.data<T>());
      });
    });
  });
}

void avg_pool2d(CudaContext ctx, const Tensor& x, const PoolWindows& windows, const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_storage(x.dtype(), "avg_pool2d", [&]<class T>() {
    with_packs<T>({x.data<T>(), y.data<T>()}, {x.size(3)}, [&]<int V>() {
      const ImageGrid g = grid_of(y, V);
      launch("avg_pool2d", avg_pool<V, T>, g.grid(), g.block(), 0, ctx, g, PoolSizes(x, y, windows),
             x.data<T>(), y.data<T>());
    });
  });
}

void avg_pool2d_backward(CudaContext ctx, const Tensor& dy, const PoolWindows& windows,
                         const Tensor& dx) {
  if (dx.numel() == 0) return;
  dispatch_storage(dx.dtype(), "avg_pool2d", [&]<class T>() {
    with_packs<T>({dy.data<T>(), dx.data<T>()}, {dx.size(3)}, [&]<int V>() {
      const ImageGrid g = grid_of(dx, V);
      launch("avg_pool2d", avg_pool_backward<V, T>, g.grid(), g.block(), 0, ctx, g,
             PoolSizes(dx, dy, windows), dy.data<T>(), dx.data<T>());
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
