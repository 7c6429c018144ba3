#include "kernels/squared_error.h"

#include <algorithm>

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// x, y as one array of `count` values, in pieces that one block sums.
constexpr int64_t piece = 1 << 13;

template <class T>
struct Values {
  const T *x, *y;
  const T* weight;  // of each `channels` values; null: 1
  int64_t count, channels;

  // weight (x - y), or with its square.
  template <int V>
  __device__ Vector<T, V> difference(int64_t i, bool squared_weight) const {
    Vector<T, V> d = load<V>(x + i);
    const Vector<T, V> q = load<V>(y + i);
#pragma unroll
    for (int k = 0; k < V; ++k) {
      d.v[k] -= q.v[k];
      if (weight) {
        const Accumulator<T> w = widen(weight[quotient(i + k, channels)]);
        d.v[k] *= squared_weight ? w * w : w;
      }
    }
    return d;
  }
};

// part[block] = sum of (weight (x - y))^2 of its piece.
template <int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    squared_error_pieces(Values<T> values, Accumulator<T>* __restrict__ part) {
  using A = Accumulator<T>;
  const int64_t begin = blockIdx.x * piece,
                n = values.count - begin < piece ? values.count - begin : piece;
  const double squares = group_sum<row_threads, V, A>(
      n, [=](int64_t i) { return values.template difference<V>(begin + i, false); },
      [](A d) { return d * d; });
  if (threadIdx.x == 0) part[blockIdx.x] = static_cast<A>(squares);
}

// dx = factor dy weight^2 (x - y).
template <int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    squared_error_gradient(Values<T> values, double factor, const T* __restrict__ dy,
                           T* __restrict__ dx) {
  const auto scale = static_cast<Accumulator<T>>(factor * static_cast<double>(widen(*dy)));
  const int64_t step = int64_t{gridDim.x} * row_threads * V;
  for (int64_t i = (int64_t{blockIdx.x} * row_threads + threadIdx.x) * V; i < values.count;
       i += step) {
    Vector<T, V> d = values.template difference<V>(i, true);
#pragma unroll
    for (int k = 0; k < V; ++k) d.v[k] *= scale;
    store<V>(dx + i, d);
  }
}

template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

namespace {
constexpr const char* op = "squared_error";
}

void squared_error(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& weight,
                   int64_t channels, const Tensor& result) {
  const int64_t count = x.numel(), pieces = (count + piece - 1) / piece;
  if (count == 0) return fill(ctx, result, 0);
  dispatch_floating(x.dtype(), op, [&]<class T>() {
    const Values<T> values{x.data<T>(), y.data<T>(), data_or_null<T>(weight), count, channels};
    const Tensor part = pieces == 1 ? result : Tensor::empty({pieces}, x.dtype(), x.device());
    with_packs<T>({values.x, values.y}, {count}, [&]<int V>() {
      launch(op, squared_error_pieces<V, T>, dim3(static_cast<unsigned>(pieces)), dim3(row_threads),
             0, ctx, values, part.data<T>());
    });
    if (pieces > 1) sum(ctx, part, {1, pieces, 1}, 1, result);
  });
}

void squared_error_backward(CudaContext ctx, const Tensor& x, const Tensor& y, const Tensor& weight,
                            int64_t channels, double factor, const Tensor& dy, const Tensor& dx) {
  const int64_t count = x.numel();
  if (count == 0) return;
  dispatch_floating(x.dtype(), op, [&]<class T>() {
    const Values<T> values{x.data<T>(), y.data<T>(), data_or_null<T>(weight), count, channels};
    with_packs<T>({values.x, values.y, dx.data<T>()}, {count}, [&]<int V>() {
      const int64_t blocks =
          std::min<int64_t>(1 << 16, (count / V + row_threads - 1) / row_threads);
      launch(op, squared_error_gradient<V, T>, dim3(static_cast<unsigned>(blocks)),
             dim3(row_threads), 0, ctx, values, factor, dy.data<T>(), dx.data<T>());
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
