#include "kernels/cross_entropy.h"

#include <limits>

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"
#include "kernels/elementwise.h"
#include "kernels/math.h"
#include "kernels/reduce.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

// The loss of a row is -sum_c q[c] log p[c] with q[c] = even * w[c], plus own * w[label] at the
// label.
template <class T>
struct Coefficients {
  const T* weight;  // null: all 1
  int64_t classes;
  Accumulator<T> own, even;

  explicit Coefficients(const kernels::CrossEntropyInput& in)
      : weight(in.class_weight.defined() ? in.class_weight.data<T>() : nullptr),
        classes(in.logits.size(1)),
        own(static_cast<Accumulator<T>>(1 - in.label_smoothing)),
        even(static_cast<Accumulator<T>>(in.label_smoothing / static_cast<double>(classes))) {}
  __device__ Accumulator<T> of(int64_t c) const { return weight ? widen(weight[c]) : 1; }
  __device__ bool contains(int64_t label) const { return label >= 0 && label < classes; }
};

template <class A>
struct One {
  A v[1];
};

template <int GROUP, int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    cross_entropy_rows(int64_t rows, Coefficients<T> q, const T* __restrict__ logits,
                       const int64_t* __restrict__ labels, T* __restrict__ losses,
                       T* __restrict__ lse) {
  using A = Accumulator<T>;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* z = logits + row * q.classes;
    const A total = group_logsumexp<GROUP, V>(z, q.classes);
    A smooth = 0;
    if (q.even > 0)
      smooth = static_cast<A>(group_sum<GROUP, 1, A>(
          q.classes, [=](int64_t c) { return One<A>{{q.of(c) * (total - widen(z[c]))}}; },
          [](A v) { return v; }));
    if (group_rank<GROUP>() != 0) continue;
    const int64_t label = labels[row];
    const A loss = q.contains(label)
                       ? q.own * q.of(label) * (total - widen(z[label])) + q.even * smooth
                       : std::numeric_limits<A>::quiet_NaN();
    losses[row] = narrow<T>(loss);
    lse[row] = narrow<T>(total);
  }
}

// d loss / d z[c] = p[c] sum(q) - q[c], times dy, divided by the targets' weight.
template <int GROUP, int V, class T>
__global__ void __launch_bounds__(row_threads, 4)
    cross_entropy_backward_rows(int64_t rows, Coefficients<T> q, const T* __restrict__ logits,
                                const int64_t* __restrict__ labels, const T* __restrict__ lse,
                                const T* __restrict__ dy, bool per_sample,
                                const double* __restrict__ weight_of_targets,
                                T* __restrict__ grad) {
  using A = Accumulator<T>;
  const double share = weight_of_targets ? 1 / *weight_of_targets : 1.0;
  for (int64_t row = first_group<GROUP>(); row < rows; row += group_count<GROUP>()) {
    const T* z = logits + row * q.classes;
    const int64_t label = labels[row];
    A weights = static_cast<A>(q.classes);
    if (q.weight && q.even > 0)
      weights = static_cast<A>(group_sum<GROUP, 1, A>(
          q.classes, [=](int64_t c) { return One<A>{{q.of(c)}}; }, [](A v) { return v; }));
    const A shift = widen(lse[row]);
    A s = static_cast<A>(share * static_cast<double>(widen(dy[per_sample ? row : 0])));
    if (!q.contains(label)) s = std::numeric_limits<A>::quiet_NaN();
    const A own = q.contains(label) ? q.own * q.of(label) : A(0);
    const A all = s * (own + q.even * weights);
    for (int64_t i = int64_t{group_rank<GROUP>()} * V; i < q.classes; i += GROUP * V) {
      Vector<T, V> p = load<V>(z + i);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        A d = math::exp(p.v[k] - shift) * all;
        if (q.even > 0) d -= s * q.even * q.of(i + k);
        p.v[k] = i + k == label ? d - s * own : d;
      }
      store<V>(grad + row * q.classes + i, p);
    }
  }
}

constexpr int64_t labels_per_block = 1 << 13;

// part[block] = summed weight of the targets of its labels; NaN if one is out of range.
template <class T>
__global__ void __launch_bounds__(row_threads, 4)
    target_weight(int64_t n, Coefficients<T> q, const int64_t* __restrict__ labels,
                  double* __restrict__ part) {
  const int64_t begin = blockIdx.x * labels_per_block,
                end = begin + labels_per_block < n ? begin + labels_per_block : n;
  double total = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += row_threads) {
    const int64_t label = labels[i];
    total += q.contains(label) ? static_cast<double>(q.of(label))
                               : std::numeric_limits<double>::quiet_NaN();
  }
  total = group_reduce<row_threads>(total, Plus{});
  if (threadIdx.x == 0) part[blockIdx.x] = total;
}

template <class T>
__global__ void divide_by(const double* total, T* y) {
  *y = narrow<T>(static_cast<Accumulator<T>>(static_cast<double>(widen(*y)) / *total));
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

namespace {
constexpr const char* op = "cross_entropy";
}

void cross_entropy(CudaContext ctx, const CrossEntropyInput& in, const Tensor& losses,
                   const Tensor& lse) {
  const int64_t rows = in.logits.size(0), classes = in.logits.size(1);
  if (rows == 0) return;
  dispatch_floating(in.logits.dtype(), op, [&]<class T>() {
    with_packs<T>({in.logits.data<T>()}, {classes}, [&]<int V>() {
      with_row_group(rows, classes, [&]<int GROUP>(unsigned blocks) {
        launch(op, cross_entropy_rows<GROUP, V, T>, dim3(blocks), dim3(row_threads), 0, ctx, rows,
               Coefficients<T>(in), in.logits.data<T>(), in.labels.data<int64_t>(),
               losses.data<T>(), lse.data<T>());
      });
    });
  });
}

void cross_entropy_weight(CudaContext ctx, const CrossEntropyInput& in, const Tensor& total) {
  const int64_t n = in.labels.numel();
  if (n == 0) return fill(ctx, total, 0);
  const int64_t parts = (n + labels_per_block - 1) / labels_per_block;
  const Tensor part = Tensor::empty({parts}, Dtype::float64, total.device());
  dispatch_floating(in.logits.dtype(), op, [&]<class T>() {
    launch(op, target_weight<T>, dim3(static_cast<unsigned>(parts)), dim3(row_threads), 0, ctx, n,
           Coefficients<T>(in), in.labels.data<int64_t>(), part.data<double>());
  });
  sum(ctx, part, {1, parts, 1}, 1, total);
}

void cross_entropy_reduce(CudaContext ctx, const Tensor& losses, const Tensor& total,
                          const Tensor& y) {
  sum(ctx, losses, {1, losses.numel(), 1}, 1, y);
  if (!total.defined()) return;
  dispatch_floating(y.dtype(), op, [&]<class T>() {
    launch(op, divide_by<T>, dim3(1), dim3(1), 0, ctx, total.data<double>(), y.data<T>());
  });
}

void cross_entropy_backward(CudaContext ctx, const CrossEntropyInput& in, const Tensor& lse,
                            const Tensor& dy, const Tensor& total, const Tensor& grad) {
  const int64_t rows = in.logits.size(0), classes = in.logits.size(1);
  if (rows * classes == 0) return;
  dispatch_floating(in.logits.dtype(), op, [&]<class T>() {
    with_packs<T>({in.logits.data<T>(), grad.data<T>()}, {classes}, [&]<int V>() {
      with_row_group(rows, classes, [&]<int GROUP>(unsigned blocks) {
        launch(op, cross_entropy_backward_rows<GROUP, V, T>, dim3(blocks), dim3(row_threads), 0,
               ctx, rows, Coefficients<T>(in), in.logits.data<T>(), in.labels.data<int64_t>(),
               lse.data<T>(), dy.data<T>(), dy.ndim() == 1,
               total.defined() ? total.data<double>() : nullptr, grad.data<T>());
      });
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
