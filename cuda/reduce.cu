#include "kernels/reduce.h"

#include <limits>

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"
#include "kernels/math.h"

// Reductions of rows other than the sum: a warp or a block takes a row, which stays in its caches
// where it is read more than once.

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// A candidate for the extreme; `at` < 0: none yet.
template <class A>
struct Candidate {
  A value;
  int64_t at;
};
template <class A>
__device__ inline Candidate<A> shuffle_xor(Candidate<A> c, int bits) {
  return {cuda::shuffle_xor(c.value, bits), cuda::shuffle_xor(c.at, bits)};
}

// NaN first, then the larger, then the earlier.
template <class A>
__device__ inline Candidate<A> better(Candidate<A> a, Candidate<A> b, A sign) {
  if (b.at < 0) return a;
  if (a.at < 0) return b;
  const bool nan_a = a.value != a.value, nan_b = b.value != b.value;
  if (nan_a != nan_b) return nan_a ? a : b;
  const A va = sign * a.value, vb = sign * b.value;
  if (!nan_a && va != vb) return va > vb ? a : b;
  return a.at < b.at ? a : b;
}

template <int GROUP, class T>
__global__ void __launch_bounds__(row_threads, 4)
    extreme_rows(int64_t rows, int64_t n, const T* __restrict__ x, Accumulator<T> sign,
                 T* __restrict__ value, int64_t* __restrict__ index) {
  using A = Accumulator<T>;
  const auto combine = [sign](Candidate<A> a, Candidate<A> b) { return better(a, b, sign); };
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* from = x + row * n;
    Candidate<A> best{0, -1};
    for (int64_t i = group_rank<GROUP>(); i < n; i += GROUP)
      best = combine(best, Candidate<A>{widen(from[i]), i});
    best = group_reduce<GROUP>(best, combine);
    if (group_rank<GROUP>() == 0) {
      value[row] = narrow<T>(best.value);
      index[row] = best.at;
    }
  }
}

template <int GROUP, class T>
__global__ void __launch_bounds__(row_threads, 4)
    extreme_backward_rows(int64_t rows, int64_t n, const int64_t* __restrict__ index,
                          const T* __restrict__ dy, T* __restrict__ dx) {
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const int64_t at = index[row];
    const T g = dy[row];
    for (int64_t i = group_rank<GROUP>(); i < n; i += GROUP)
      dx[row * n + i] = i == at ? g : narrow<T>(0);
  }
}

template <int GROUP, int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    logsumexp_rows(int64_t rows, int64_t n, const T* __restrict__ x, T* __restrict__ y) {
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const Accumulator<T> value = group_logsumexp<GROUP, V>(x + row * n, n);
    if (group_rank<GROUP>() == 0) y[row] = narrow<T>(value);
  }
}

// sqrt(sum x^2), summed in float64: squares of float32 neither overflow nor vanish there, and the
// arithmetic hides behind the reading.
template <int GROUP, int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    norm_rows(int64_t rows, int64_t n, const T* __restrict__ x, T* __restrict__ y) {
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* from = x + row * n;
    const double squares = group_sum<GROUP, V, double>(
        n, [from](int64_t i) { return load<V>(from + i); },
        [](Accumulator<T> v) { return static_cast<double>(v) * static_cast<double>(v); });
    if (group_rank<GROUP>() == 0)
      y[row] = narrow<T>(static_cast<Accumulator<T>>(std::sqrt(squares)));
  }
}

// Two passes: the mean, then the squares of what is left.
template <int GROUP, int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    var_rows(int64_t rows, int64_t n, const T* __restrict__ x, double divisor, T* __restrict__ y,
             T* __restrict__ mean) {
  using A = Accumulator<T>;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* from = x + row * n;
    const auto read = [from](int64_t i) { return load<V>(from + i); };
    const double center =
        group_sum<GROUP, V, A>(n, read, [](A v) { return v; }) / static_cast<double>(n);
    const A m = static_cast<A>(center);
    const double squares = group_sum<GROUP, V, A>(n, read, [m](A v) { return (v - m) * (v - m); });
    if (group_rank<GROUP>() == 0) {
      // With no degree of freedom the variance is not defined, even where the sum is not 0.
      // The rounding of the mean moves the squares by n times its square.
      const double moved = center - static_cast<double>(m);
      const double variance = (squares - static_cast<double>(n) * moved * moved) / divisor;
      y[row] =
          narrow<T>(divisor > 0 ? static_cast<A>(variance) : std::numeric_limits<A>::quiet_NaN());
      mean[row] = narrow<T>(m);
    }
  }
}

// How dx follows from x, one value of the forward pass per row and the row's gradient.
struct LogsumexpSlope {
  template <class A>
  struct Row {
    A shift, scale;
    __device__ A operator()(A x) const { return scale * math::exp(x - shift); }
  };
  template <class A>
  __device__ Row<A> row(A y, A dy) const {
    return {y == -std::numeric_limits<A>::infinity() ? A(0) : y, dy};
  }
};
struct NormSlope {
  template <class A>
  struct Row {
    A scale;
    __device__ A operator()(A x) const { return scale * x; }
  };
  template <class A>
  __device__ Row<A> row(A y, A dy) const {
    return {y == 0 ? A(0) : dy / y};
  }
};
struct VarSlope {
  double divisor;
  template <class A>
  struct Row {
    A mean, scale;
    __device__ A operator()(A x) const { return scale * (x - mean); }
  };
  template <class A>
  __device__ Row<A> row(A mean, A dy) const {
    return {mean, static_cast<A>(2 * static_cast<double>(dy) / divisor)};
  }
};

template <int GROUP, int V, class T, class Slope>
__global__ void __launch_bounds__(row_threads, 4)
    row_gradient(int64_t rows, int64_t n, const T* __restrict__ x, const T* __restrict__ saved,
                 const T* __restrict__ dy, Slope slope, T* __restrict__ dx) {
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const auto f = slope.row(widen(saved[row]), widen(dy[row]));
    for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < n; i += GROUP * V) {
      Vector<T, V> p = load<V>(x + row * n + i);
#pragma unroll
      for (int k = 0; k < V; ++k) p.v[k] = f(p.v[k]);
      store<V>(dx + row * n + i, p);
    }
  }
}

template <class Slope>
void gradient(CudaContext ctx, const char* op, const Tensor& x, const Tensor& saved,
              const Tensor& dy, int64_t n, Slope slope, const Tensor& dx) {
  const int64_t rows = dy.numel();
  if (rows * n == 0) return;
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    with_packs<T>({x.data<T>(), dx.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        launch(op, row_gradient<GROUP, V, T, Slope>, dim3(blocks), dim3(row_threads), 0, ctx, rows,
               n, x.data<T>(), saved.data<T>(), dy.data<T>(), slope, dx.data<T>());
      });
    });
  });
}

double degrees(int64_t n, int64_t correction) {
  return n > correction ? static_cast<double>(n - correction) : 0.0;
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void extreme(CudaContext ctx, const Tensor& x, int64_t n, int sign, const Tensor& value,
             const Tensor& index) {
  const int64_t rows = value.numel();
  if (rows == 0) return;
  dispatch_storage(x.dtype(), "max", [&]<class T>() {
    with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
      launch("max", extreme_rows<GROUP, T>, dim3(blocks), dim3(row_threads), 0, ctx, rows, n,
             x.data<T>(), sign, value.data<T>(), index.data<int64_t>());
    });
  });
}

void extreme_backward(CudaContext ctx, const Tensor& index, const Tensor& dy, int64_t n,
                      const Tensor& dx) {
  const int64_t rows = dy.numel();
  if (rows == 0) return;
  dispatch_storage(dy.dtype(), "max", [&]<class T>() {
    with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
      launch("max", extreme_backward_rows<GROUP, T>, dim3(blocks), dim3(row_threads), 0, ctx, rows,
             n, index.data<int64_t>(), dy.data<T>(), dx.data<T>());
    });
  });
}

void logsumexp(CudaContext ctx, const Tensor& x, int64_t n, const Tensor& y) {
  const int64_t rows = y.numel();
  if (rows == 0) return;
  dispatch_storage(x.dtype(), "logsumexp", [&]<class T>() {
    with_packs<T>({x.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        launch("logsumexp", logsumexp_rows<GROUP, V, T>, dim3(blocks), dim3(row_threads), 0, ctx,
               rows, n, x.data<T>(), y.data<T>());
      });
    });
  });
}

void logsumexp_backward(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& dy,
                        int64_t n, const Tensor& dx) {
  gradient(ctx, "logsumexp", x, y, dy, n, LogsumexpSlope{}, dx);
}

void norm(CudaContext ctx, const Tensor& x, int64_t n, const Tensor& y) {
  const int64_t rows = y.numel();
  if (rows == 0) return;
  dispatch_storage(x.dtype(), "norm", [&]<class T>() {
    with_packs<T>({x.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        launch("norm", norm_rows<GROUP, V, T>, dim3(blocks), dim3(row_threads), 0, ctx, rows, n,
               x.data<T>(), y.data<T>());
      });
    });
  });
}

void norm_backward(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                   const Tensor& dx) {
  gradient(ctx, "norm", x, y, dy, n, NormSlope{}, dx);
}

void var(CudaContext ctx, const Tensor& x, int64_t n, int64_t correction, const Tensor& y,
         const Tensor& mean) {
  const int64_t rows = y.numel();
  if (rows == 0) return;
  dispatch_storage(x.dtype(), "var", [&]<class T>() {
    with_packs<T>({x.data<T>()}, {n}, [&]<int V>() {
      with_row_group(rows, n, [&]<int GROUP>(unsigned blocks) {
        launch("var", var_rows<GROUP, V, T>, dim3(blocks), dim3(row_threads), 0, ctx, rows, n,
               x.data<T>(), degrees(n, correction), y.data<T>(), mean.data<T>());
      });
    });
  });
}

void var_backward(CudaContext ctx, const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t n,
                  int64_t correction, const Tensor& dx) {
  gradient(ctx, "var", x, mean, dy, n, VarSlope{degrees(n, correction)}, dx);
}

}  // namespace kernels
}  // namespace cytograd
