#include "kernels/unary.h"

#include "cuda/core/index.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;

// y may be x.
template <class F, class T, int n>
__global__ void __launch_bounds__(threads)
    unary_value(int64_t numel, kernels::UnaryParams params, const T* x, T* y) {
  const int64_t packs = numel / n;
  const F f;
  for (int64_t i : grid_stride(packs)) {
    Vector<T, n> v = load<n>(x + i * n);
    for (int j = 0; j < n; ++j) v.v[j] = f.value(v.v[j], params);
    store<n>(y + i * n, v);
  }
  for (int64_t i : grid_stride(numel - packs * n)) {
    const int64_t at = packs * n + i;
    y[at] = narrow<T>(f.value(widen(x[at]), params));
  }
}

template <class F, class T, int n>
__global__ void __launch_bounds__(threads)
    unary_slope(int64_t numel, kernels::UnaryParams params, const T* saved, const T* dy, T* dx) {
  const int64_t packs = numel / n;
  const F f;
  for (int64_t i : grid_stride(packs)) {
    Vector<T, n> v = load<n>(dy + i * n);
    const Vector<T, n> s = load<n>(saved + i * n);
    for (int j = 0; j < n; ++j) v.v[j] *= f.slope(s.v[j], params);
    store<n>(dx + i * n, v);
  }
  for (int64_t i : grid_stride(numel - packs * n)) {
    const int64_t at = packs * n + i;
    dx[at] = narrow<T>(widen(dy[at]) * f.slope(widen(saved[at]), params));
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void unary(CudaContext ctx, int function, UnaryParams params, const Tensor& x, const Tensor& y) {
  if (x.numel() == 0) return;
  cuda::dispatch_storage(x.dtype(), "unary", [&]<class T>() {
    constexpr int n = cuda::pack_width<T>;
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const dim3 grid = cuda::grid_for(x.numel(), cuda::threads * n, ctx), block(cuda::threads);
    UnaryFunctions::call(function, [&](auto f) {
      using F = decltype(f);
      const auto kernel =
          cuda::aligned16(from, to) ? cuda::unary_value<F, T, n> : cuda::unary_value<F, T, 1>;
      cuda::launch("unary", kernel, grid, block, 0, ctx, x.numel(), params, from, to);
    });
  });
}

void unary_backward(CudaContext ctx, int function, UnaryParams params, const Tensor& saved,
                    const Tensor& dy, const Tensor& dx) {
  if (dy.numel() == 0) return;
  cuda::dispatch_storage(dy.dtype(), "unary", [&]<class T>() {
    constexpr int n = cuda::pack_width<T>;
    const T* from = dy.data<T>();
    const T* s = saved.defined() ? saved.data<T>() : from;
    T* to = dx.data<T>();
    const dim3 grid = cuda::grid_for(dy.numel(), cuda::threads * n, ctx), block(cuda::threads);
    UnaryFunctions::call(function, [&](auto f) {
      using F = decltype(f);
      const auto kernel =
          cuda::aligned16(from, s, to) ? cuda::unary_slope<F, T, n> : cuda::unary_slope<F, T, 1>;
      cuda::launch("unary gradient", kernel, grid, block, 0, ctx, dy.numel(), params, s, from, to);
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
