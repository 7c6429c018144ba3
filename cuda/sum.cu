#include "cuda/core/columns.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"
#include "kernels/column_sum.h"
#include "kernels/elementwise.h"
#include "kernels/reduce.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// Rows of `n` elements, `pieces` of them side by side in one: y[row] = sum / divisor. A group sums
// each row.
template <int GROUP, int V, class T, class Y>
__global__ void __launch_bounds__(row_threads, 4)
    sum_rows(int64_t rows, int64_t n, int64_t piece, int64_t pieces, const T* __restrict__ x,
             double divisor, Y* __restrict__ y) {
  using A = Accumulator<T>;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const int64_t begin = row % pieces * piece;
    const T* from = x + row / pieces * n + begin;
    const int64_t count = n - begin < piece ? n - begin : piece;
    const double total = group_sum<GROUP, V, A>(
        count, [from](int64_t i) { return load<V>(from + i); }, [](A v) { return v; });
    if (group_rank<GROUP>() == 0) y[row] = narrow<Y>(static_cast<Accumulator<Y>>(total / divisor));
  }
}

// x [outer, n, inner] summed over n, for inner > 1: y[outer, piece, inner].
template <int V, class T, class Y>
__global__ void __launch_bounds__(column_threads, 3)
    sum_columns(Columns c, const T* __restrict__ x, double divisor, Y* __restrict__ y) {
  using A = Accumulator<T>;
  CYTOGRAD_SHARED(double, shared, [column_threads * V]);
  const ColumnPart part(c, V);
  constexpr int run = 16;  // short sums in A, added in double: rounding errors do not pile up
  double total[V] = {};
  if (part.channel < c.channels) {
    const T* from = x + part.outer * c.rows * c.channels + part.channel;
    for (int64_t r = part.begin; r < part.end;) {
      A sum[V] = {};
#pragma unroll 4
      for (int k = 0; k < run && r < part.end; ++k, r += part.step) {
        const Vector<T, V> p = load<V>(from + r * c.channels);
#pragma unroll
        for (int j = 0; j < V; ++j) sum[j] += p.v[j];
      }
#pragma unroll
      for (int j = 0; j < V; ++j) total[j] += static_cast<double>(sum[j]);
    }
  }
  combine_lines(total, shared, Plus{});
  if (threadIdx.y != 0 || part.channel >= c.channels) return;
  Y* to = y + (part.outer * c.pieces + part.piece) * c.channels + part.channel;
#pragma unroll
  for (int j = 0; j < V; ++j) to[j] = narrow<Y>(static_cast<Accumulator<Y>>(total[j] / divisor));
}

constexpr int64_t longest_piece = 1 << 14;  // elements of a row that one block sums

template <class T, class Y>
void launch_rows(CudaContext ctx, int64_t rows, int64_t n, int64_t pieces, const T* x,
                 double divisor, Y* y) {
  const int64_t piece = pieces == 1 ? n : longest_piece;
  with_packs<T>({x}, {n}, [&]<int V>() {
    with_row_group(rows * pieces, piece, [&]<int GROUP>(unsigned blocks) {
      launch("sum", sum_rows<GROUP, V, T, Y>, dim3(blocks), dim3(row_threads), 0, ctx,
             rows * pieces, n, piece, pieces, x, divisor, y);
    });
  });
}

template <class T>
void row_sums(CudaContext ctx, const Tensor& x, kernels::Extent e, double divisor,
              const Tensor& y) {
  // Long rows in pieces where there are too few of them for all multiprocessors.
  const int64_t pieces =
      e.outer < 512 && e.n > longest_piece ? (e.n + longest_piece - 1) / longest_piece : 1;
  if (pieces == 1) return launch_rows(ctx, e.outer, e.n, 1, x.data<T>(), divisor, y.data<T>());
  const Tensor partial = Tensor::empty({e.outer, pieces}, Dtype::float64, x.device());
  launch_rows(ctx, e.outer, e.n, pieces, x.data<T>(), 1, partial.data<double>());
  launch_rows(ctx, e.outer, pieces, 1, partial.data<double>(), divisor, y.data<T>());
}

template <class T, class Y>
void launch_columns(CudaContext ctx, const Columns& c, const T* x, double divisor, Y* y,
                    bool wide) {
  const auto run = [&]<int V>() {
    launch("sum", sum_columns<V, T, Y>, c.grid(), c.block(), 0, ctx, c, x, divisor, y);
  };
  if (wide)
    run.template operator()<pack_width<T>>();
  else
    run.template operator()<1>();
}

template <class T>
void column_sums(CudaContext ctx, const Tensor& x, kernels::Extent e, double divisor,
                 const Tensor& y) {
  with_packs<T>({x.data<T>()}, {e.inner}, [&]<int V>() {
    const Columns c(e.outer, e.n, e.inner, V);
    if (c.pieces == 1) return launch_columns(ctx, c, x.data<T>(), divisor, y.data<T>(), V > 1);
    const Tensor partial = Tensor::empty({e.outer, c.pieces, e.inner}, Dtype::float64, x.device());
    launch_columns(ctx, c, x.data<T>(), 1, partial.data<double>(), V > 1);
    Columns rest(e.outer, c.pieces, e.inner, 1, 1 << 20, 8);
    rest.rows_per_piece = c.pieces, rest.pieces = 1;
    launch_columns(ctx, rest, partial.data<double>(), divisor, y.data<T>(), false);
  });
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void sum(CudaContext ctx, const Tensor& x, Extent e, double divisor, const Tensor& y) {
  if (e.outer * e.inner == 0) return;
  if (e.n == 0) return fill(ctx, y, 0 / divisor);
  if (e.n == 1) e = {1, 1, e.outer * e.inner};
  cuda::dispatch_storage(x.dtype(), "sum", [&]<class T>() {
    if (e.inner == 1)
      cuda::row_sums<T>(ctx, x, e, divisor, y);
    else
      cuda::column_sums<T>(ctx, x, e, divisor, y);
  });
}

void column_sum(CudaContext ctx, const Tensor& x, const Tensor& sums) {
  const int64_t columns = sums.numel(), rows = columns ? x.numel() / columns : 0;
  sum(ctx, x, {1, rows, columns}, 1, sums);
}

}  // namespace kernels
}  // namespace cytograd
