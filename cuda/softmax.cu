#include "kernels/softmax.h"

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"
#include "kernels/math.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// A row is read three times, all but the first from a cache. An infinite maximum gives
// inf - inf = NaN throughout the row, as the formula does.
template <int GROUP, int V, bool LOGARITHM, class T>
__global__ void __launch_bounds__(row_threads, 4)
    softmax_rows(int64_t rows, int64_t n, const T* __restrict__ x, T* __restrict__ y) {
  using A = Accumulator<T>;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* from = x + row * n;
    const A m = group_max<GROUP, V>(from, n);
    const double total = group_sum<GROUP, V, A>(
        n, [from](int64_t i) { return load<V>(from + i); }, [m](A v) { return math::exp(v - m); });
    const A factor = static_cast<A>(LOGARITHM ? std::log(total) : 1 / total);
    for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < n; i += GROUP * V) {
      Vector<T, V> p = load<V>(from + i);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if constexpr (LOGARITHM)
          p.v[k] = p.v[k] - m - factor;
        else
          p.v[k] = math::exp(p.v[k] - m) * factor;
      }
      store<V>(y + row * n + i, p);
    }
  }
}

template <int GROUP, int V, bool LOGARITHM, class T>
__global__ void __launch_bounds__(row_threads, 4)
    softmax_backward_rows(int64_t rows, int64_t n, const T* __restrict__ y,
                          const T* __restrict__ dy, T* __restrict__ dx) {
  using A = Accumulator<T>;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T *p = y + row * n, *g = dy + row * n;
    // sum(dy) for the logarithm, else sum(dy y).
    const A dot = static_cast<A>(group_sum<GROUP, V, A>(
        n,
        [=](int64_t i) {
          Vector<T, V> term = load<V>(g + i);
          if constexpr (!LOGARITHM) {
            const Vector<T, V> out = load<V>(p + i);
#pragma unroll
            for (int k = 0; k < V; ++k) term.v[k] *= out.v[k];
          }
          return term;
        },
        [](A v) { return v; }));
    for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < n; i += GROUP * V) {
      const Vector<T, V> out = load<V>(p + i);
      Vector<T, V> d = load<V>(g + i);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if constexpr (LOGARITHM)
          d.v[k] -= math::exp(out.v[k]) * dot;
        else
          d.v[k] = out.v[k] * (d.v[k] - dot);
      }
      store<V>(dx + row * n + i, d);
    }
  }
}

template <class F>
void with_logarithm(bool logarithm, F&& f) {
  if (logarithm)
    f.template operator()<true>();
  else
    f.template operator()<false>();
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void softmax(CudaContext ctx, const Tensor& x, int64_t n, bool logarithm, const Tensor& y) {
  if (x.numel() == 0) return;
  const int64_t rows = x.numel() / n;
  dispatch_storage(x.dtype(), "softmax", [&]<class T>() {
    with_packs<T>({x.data<T>(), y.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        with_logarithm(logarithm, [&]<bool LOGARITHM>() {
          launch("softmax", softmax_rows<GROUP, V, LOGARITHM, T>, dim3(blocks), dim3(row_threads),
                 0, ctx, rows, n, x.data<T>(), y.data<T>());
        });
      });
    });
  });
}

void softmax_backward(CudaContext ctx, const Tensor& y, const Tensor& dy, int64_t n, bool logarithm,
                      const Tensor& dx) {
  if (y.numel() == 0) return;
  const int64_t rows = y.numel() / n;
  dispatch_storage(y.dtype(), "softmax", [&]<class T>() {
    with_packs<T>({y.data<T>(), dy.data<T>(), dx.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        with_logarithm(logarithm, [&]<bool LOGARITHM>() {
          launch("softmax", softmax_backward_rows<GROUP, V, LOGARITHM, T>, dim3(blocks),
                 dim3(row_threads), 0, ctx, rows, n, y.data<T>(), dy.data<T>(), dx.data<T>());
        });
      });
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
