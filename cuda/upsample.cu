#include "kernels/upsample.h"

#include "cuda/core/image.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

using Tap = kernels::TapOf<int>;
using Axis = kernels::TapAxisOf<int>;

Axis axis_of(const kernels::TapAxis& a) {
  return {axis_int(a.in), axis_int(a.out), static_cast<Axis::Kind>(a.kind)};
}

struct UpsampleSizes {
  int h, w, c, oh, ow;
  Axis rows, columns;
  UpsampleSizes(const Tensor& x, const Tensor& y, const kernels::Taps& taps)
      : h(axis_int(x.size(1))),
        w(axis_int(x.size(2))),
        c(axis_int(x.size(3))),
        oh(axis_int(y.size(1))),
        ow(axis_int(y.size(2))),
        rows(axis_of(taps.row_axis)),
        columns(axis_of(taps.column_axis)) {}
  __device__ int64_t in(int64_t n, int i, int j) const { return ((n * h + i) * w + j) * c; }
  __device__ int64_t out(int64_t n, int i, int j) const { return ((n * oh + i) * ow + j) * c; }
};

// The taps that read pixel p lie in first .. last - 1; a few of these may not.
struct Readers {
  int first, last;
  __device__ Readers(const Axis& a, int p) {
    if (a.kind == Axis::Kind::nearest) {
      first = static_cast<int>(quotient(int64_t{p} * a.out, a.in));
      last = static_cast<int>(quotient((int64_t{p} + 1) * a.out, a.in)) + 1;
    } else {
      // A reader's place is within one pixel of p; half a pixel more for rounding and the shift.
      const double outer = a.kind == Axis::Kind::half_pixel ? 0 : 1;
      const double ratio = a.in > outer ? (a.out - outer) / (a.in - outer) : a.out;
      first = static_cast<int>((p - 1.5) * ratio);
      last = p + 1 >= a.in ? a.out : static_cast<int>((p + 2.5) * ratio) + 1;
    }
    first = p == 0 || first < 0 ? 0 : first;
    last = last < a.out ? last : a.out;
  }
};

// The weight with which tap t reads pixel p. low and high coincide at the border: both count.
__device__ inline double share_of(const Tap& t, int p) {
  return (t.low == p ? 1 - t.weight : 0) + (t.high == p ? t.weight : 0);
}

template <int V, class T>
__global__ void __launch_bounds__(256, 3)
    nearest(ImageGrid g, UpsampleSizes s, const T* __restrict__ x, T* __restrict__ y) {
  for_each_pixel<V>(g, [&](int64_t n, int i, int j, int channel) {
    const int64_t from = s.in(n, s.rows.tap(i).low, s.columns.tap(j).low);
    store<V>(y + s.out(n, i, j) + channel, load<V>(x + from + channel));
  });
}

template <int V, class T>
__global__ void __launch_bounds__(256, 3)
    bilinear(ImageGrid g, UpsampleSizes s, const T* __restrict__ x, T* __restrict__ y) {
  using A = Accumulator<T>;
  for_each_pixel<V>(g, [&](int64_t n, int i, int j, int channel) {
    const Tap row = s.rows.tap(i), column = s.columns.tap(j);
    const A v1 = static_cast<A>(row.weight), v0 = static_cast<A>(1 - row.weight),
            u1 = static_cast<A>(column.weight), u0 = static_cast<A>(1 - column.weight);
    const T* from = x + channel;
    const Vector<T, V> a = load<V>(from + s.in(n, row.low, column.low)),
                       b = load<V>(from + s.in(n, row.low, column.high)),
                       p = load<V>(from + s.in(n, row.high, column.low)),
                       q = load<V>(from + s.in(n, row.high, column.high));
    Vector<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k)
      out.v[k] = v0 * (u0 * a.v[k] + u1 * b.v[k]) + v1 * (u0 * p.v[k] + u1 * q.v[k]);
    store<V>(y + s.out(n, i, j) + channel, out);
  });
}

// Every input pixel gathers, in order, from the output pixels that read it. For the nearest
// neighbour every share is 1.
template <int V, class T>
__global__ void __launch_bounds__(256, 3)
    upsample_backward(ImageGrid g, UpsampleSizes s, const T* __restrict__ dy, T* __restrict__ dx) {
  for_each_pixel<V>(g, [&](int64_t n, int h, int w, int channel) {
    Vector<T, V> sum{};
    const Readers rows(s.rows, h), columns(s.columns, w);
    for (int i = rows.first; i < rows.last; ++i) {
      const double row_share = share_of(s.rows.tap(i), h);
      if (row_share == 0) continue;
      for (int j = columns.first; j < columns.last; ++j) {
        const double both = row_share * share_of(s.columns.tap(j), w);
        if (both == 0) continue;
        const auto share = static_cast<Accumulator<T>>(both);
        const Vector<T, V> p = load<V>(dy + s.out(n, i, j) + channel);
#pragma unroll
        for (int k = 0; k < V; ++k) sum.v[k] += share * p.v[k];
      }
    }
    store<V>(dx + s.in(n, h, w) + channel, sum);
  });
}

ImageGrid grid_of(const Tensor& t, int pack) {
  return {t.size(0), t.size(1), t.size(2), t.size(3), pack};
}

template <bool BILINEAR>
void forward(CudaContext ctx, const char* op, const Tensor& x, const kernels::Taps& taps,
             const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    with_packs<T>({x.data<T>(), y.data<T>()}, {x.size(3)}, [&]<int V>() {
      const ImageGrid g = grid_of(y, V);
      launch(op, BILINEAR ? bilinear<V, T> : nearest<V, T>, g.grid(), g.block(), 0, ctx, g,
             UpsampleSizes(x, y, taps), x.data<T>(), y.data<T>());
    });
  });
}

void backward(CudaContext ctx, const char* op, const Tensor& dy, const kernels::Taps& taps,
              const Tensor& dx) {
  if (dx.numel() == 0) return;
  dispatch_storage(dx.dtype(), op, [&]<class T>() {
    with_packs<T>({dy.data<T>(), dx.data<T>()}, {dx.size(3)}, [&]<int V>() {
      const ImageGrid g = grid_of(dx, V);
      launch(op, upsample_backward<V, T>, g.grid(), g.block(), 0, ctx, g,
             UpsampleSizes(dx, dy, taps), dy.data<T>(), dx.data<T>());
    });
  });
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void upsample_nearest(CudaContext ctx, const Tensor& x, const Taps& taps, const Tensor& y) {
  forward<false>(ctx, "upsample_nearest", x, taps, y);
}

void upsample_nearest_backward(CudaContext ctx, const Tensor& dy, const Taps& taps,
                               const Tensor& dx) {
  backward(ctx, "upsample_nearest", dy, taps, dx);
}

void upsample_bilinear(CudaContext ctx, const Tensor& x, const Taps& taps, const Tensor& y) {
  forward<true>(ctx, "upsample_bilinear", x, taps, y);
}

void upsample_bilinear_backward(CudaContext ctx, const Tensor& dy, const Taps& taps,
                                const Tensor& dx) {
  backward(ctx, "upsample_bilinear", dy, taps, dx);
}

}  // namespace kernels
}  // namespace cytograd
