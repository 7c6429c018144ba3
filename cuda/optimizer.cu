#include "kernels/optimizer.h"

#include <limits>

#include "cuda/core/index.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/reduce.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr unsigned threads = 256;
constexpr int64_t chunk = 8192;  // elements of a block
constexpr int most_rows = 400;   // kernel parameters have room for 32,764 bytes

// One tensor (with its companions) of the table that a kernel works through.
struct Row {
  void* data[4];
  int64_t numel;
  int first_chunk;
  int lag;  // steps of the optimiser that this parameter took no part in
  double lr_scale, weight_decay;
};
struct Table {
  int rows;
  int first_partial;  // where this table's chunks begin among those of all tables
  Row row[most_rows];
};
static_assert(sizeof(Table) < 32700);

// The elements of this block: a chunk of one row.
struct Piece {
  const Row* row;
  int64_t begin, end;
};
CYTOGRAD_DEVICE Piece piece_of(const Table& table, int block) {
  int low = 0, high = table.rows;  // the last row that begins at or before this chunk
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (table.row[middle].first_chunk <= block ? low : high) = middle;
  }
  const Row& row = table.row[low];
  const int64_t begin = (block - row.first_chunk) * chunk;
  return {&row, begin, min(begin + chunk, row.numel)};
}

__global__ void count_step(double* control) { control[1] += 1; }

template <class T>
struct SgdNumbers {
  T momentum, ahead, behind;
};

template <class T>
__global__ void __launch_bounds__(threads)
    sgd_kernel(const __grid_constant__ Table table, SgdNumbers<T> n, const double* control) {
  const Piece p = piece_of(table, static_cast<int>(blockIdx.x));
  T* w = static_cast<T*>(p.row->data[0]);
  const T* g = static_cast<const T*>(p.row->data[1]);
  T* b = static_cast<T*>(p.row->data[2]);
  const T lr = static_cast<T>(control[0] * p.row->lr_scale);
  const T decay = static_cast<T>(p.row->weight_decay);
  for (int64_t i = p.begin + threadIdx.x; i < p.end; i += threads) {
    const T slope = g[i] + decay * w[i];
    T direction = slope;
    if (b) {  // zeros before the first step
      const T speed = n.momentum * b[i] + slope;
      b[i] = speed;
      direction = n.ahead * slope + n.behind * speed;
    }
    w[i] -= lr * direction;
  }
}

struct AdamNumbers {
  double beta1, beta2, eps;
  bool decoupled;
};

template <class T>
struct AdamFactors {
  T in_gradient, shrink, toward1, toward2, keep2, eps, size, root;

  CYTOGRAD_DEVICE void set(const Row& row, const AdamNumbers& n, const double* control) {
    const double lr = control[0] * row.lr_scale, decay = row.weight_decay;
    const double t = control[1] - row.lag;
    in_gradient = static_cast<T>(n.decoupled ? 0.0 : decay);
    shrink = static_cast<T>(n.decoupled ? 1 - lr * decay : 1.0);
    toward1 = static_cast<T>(1 - n.beta1);
    toward2 = static_cast<T>(1 - n.beta2);
    keep2 = static_cast<T>(n.beta2);
    eps = static_cast<T>(n.eps);
    size = static_cast<T>(lr / (1 - std::pow(n.beta1, t)));
    root = static_cast<T>(1 / std::sqrt(1 - std::pow(n.beta2, t)));
  }
  CYTOGRAD_DEVICE void apply(T& w, T g, T& m, T& v) const {
    const T slope = g + in_gradient * w;
    m = m + toward1 * (slope - m);
    v = keep2 * v + toward2 * (slope * slope);
    w = shrink * w - size * m / (std::sqrt(v) * root + eps);
  }
};

template <class T>
__global__ void __launch_bounds__(threads)
    adam_kernel(const __grid_constant__ Table table, AdamNumbers numbers, const double* control) {
  CYTOGRAD_SHARED(AdamFactors<T>, factors, [1]);  // two powers per block, not per thread
  const Piece p = piece_of(table, static_cast<int>(blockIdx.x));
  if (threadIdx.x == 0) factors[0].set(*p.row, numbers, control);
  __syncthreads();
  const AdamFactors<T> f = factors[0];
  constexpr int n = 16 / static_cast<int>(sizeof(T));
  T* w = static_cast<T*>(p.row->data[0]);
  const T* g = static_cast<const T*>(p.row->data[1]);
  T *m = static_cast<T*>(p.row->data[2]), *v = static_cast<T*>(p.row->data[3]);
  const auto bits = reinterpret_cast<uintptr_t>(w) | reinterpret_cast<uintptr_t>(g) |
                    reinterpret_cast<uintptr_t>(m) | reinterpret_cast<uintptr_t>(v);
  const int64_t packed_end = bits % 16 == 0 ? p.end - (p.end - p.begin) % n : p.begin;
  for (int64_t i = p.begin + threadIdx.x * n; i < packed_end; i += threads * n) {
    auto wp = ld16<Pack<T, n>>(w + i), mp = ld16<Pack<T, n>>(m + i), vp = ld16<Pack<T, n>>(v + i);
    const auto gp = ld16<Pack<T, n>>(g + i);
    for (int j = 0; j < n; ++j) f.apply(wp.v[j], gp.v[j], mp.v[j], vp.v[j]);
    st16(w + i, wp);
    st16(m + i, mp);
    st16(v + i, vp);
  }
  for (int64_t i = packed_end + threadIdx.x; i < p.end; i += threads)
    f.apply(w[i], g[i], m[i], v[i]);
}

template <class T>
__global__ void __launch_bounds__(threads)
    ema_kernel(const __grid_constant__ Table table, T toward) {
  const Piece p = piece_of(table, static_cast<int>(blockIdx.x));
  T* a = static_cast<T*>(p.row->data[0]);
  const T* w = static_cast<const T*>(p.row->data[1]);
  for (int64_t i = p.begin + threadIdx.x; i < p.end; i += threads) a[i] += toward * (w[i] - a[i]);
}

template <class T>
__global__ void __launch_bounds__(threads)
    squares_kernel(const __grid_constant__ Table table, double* partial) {
  const Piece p = piece_of(table, static_cast<int>(blockIdx.x));
  const T* x = static_cast<const T*>(p.row->data[0]);
  double sum = 0;
  for (int64_t i = p.begin + threadIdx.x; i < p.end; i += threads)
    sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  sum = block_reduce(sum);
  if (threadIdx.x == 0) partial[table.first_partial + static_cast<int>(blockIdx.x)] = sum;
}

// One block: the length, and the factor of the gradients.
__global__ void __launch_bounds__(threads)
    norm_kernel(int64_t chunks, const double* partial, double max_norm, double* norm,
                double* factor) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += threads) sum += partial[i];
  sum = block_reduce(sum);
  if (threadIdx.x != 0) return;
  const double length = std::sqrt(sum), shrink = max_norm / (length + 1e-6);
  const bool finite = length - length == 0;
  *norm = length;
  *factor = finite && shrink < 1 ? shrink : 1;
}

template <class T>
__global__ void __launch_bounds__(threads)
    scale_kernel(const __grid_constant__ Table table, const double* factor) {
  const T by = static_cast<T>(*factor);
  if (by == T(1)) return;
  const Piece p = piece_of(table, static_cast<int>(blockIdx.x));
  T* x = static_cast<T*>(p.row->data[0]);
  for (int64_t i = p.begin + threadIdx.x; i < p.end; i += threads) x[i] *= by;
}

int chunks_of(int64_t numel) { return static_cast<int>((numel + chunk - 1) / chunk); }

// Calls start(table, grid) for tables of at most `most_rows` rows that `row_of(i)` gives.
template <class RowOf, class Start>
void for_tables(size_t count, const RowOf& row_of, const Start& start) {
  Table table{};
  int chunks = 0;
  const auto flush = [&] {
    if (chunks > 0) start(table, dim3(static_cast<unsigned>(chunks)));
    table.first_partial += chunks;
    table.rows = chunks = 0;
  };
  for (size_t i = 0; i < count; ++i) {
    Row row = row_of(i);
    if (row.numel == 0) continue;
    if (table.rows == most_rows || chunks > (1 << 24)) flush();
    row.first_chunk = chunks;
    chunks += chunks_of(row.numel);
    table.row[table.rows++] = row;
  }
  flush();
}

Row plain_row(const Tensor& a, const Tensor& b) {
  return {{a.raw_data(), b.defined() ? b.raw_data() : nullptr, nullptr, nullptr},
          a.numel(),
          0,
          0,
          1,
          0};
}

Row row_of(const kernels::ParameterUpdate& u, int64_t step) {
  const auto pointer = [](const Tensor& t) { return t.defined() ? t.raw_data() : nullptr; };
  return {{pointer(u.weight), pointer(u.grad), pointer(u.first), pointer(u.second)},
          u.weight.numel(),
          0,
          static_cast<int>(step - u.steps),
          u.lr_scale,
          u.weight_decay};
}

// Runs f<T>() with the indices of the tensors of each floating type that occurs.
template <class TensorAt, class F>
void by_dtype(size_t count, const TensorAt& tensor_at, const char* op, const F& f) {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    std::vector<size_t> chosen;
    for (size_t i = 0; i < count; ++i)
      if (tensor_at(i).dtype() == dtype) chosen.push_back(i);
    if (chosen.empty()) continue;
    dispatch_floating(dtype, op, [&]<class T>() { f.template operator()<T>(chosen); });
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void sgd_step(CudaContext ctx, const ParameterUpdates& updates, const SgdStep& step,
              const StepControl& control) {
  double* numbers = control.data<double>();
  cuda::launch("sgd", cuda::count_step, dim3(1), dim3(1), 0, ctx, numbers);
  const auto weight = [&](size_t i) { return updates[i].weight; };
  cuda::by_dtype(updates.size(), weight, "sgd", [&]<class T>(const std::vector<size_t>& chosen) {
    const cuda::SgdNumbers<T> n{static_cast<T>(step.momentum), step.nesterov ? T(1) : T(0),
                                step.nesterov ? static_cast<T>(step.momentum) : T(1)};
    cuda::for_tables(
        chosen.size(), [&](size_t i) { return cuda::row_of(updates[chosen[i]], 0); },
        [&](const cuda::Table& table, dim3 grid) {
          cuda::launch("sgd", cuda::sgd_kernel<T>, grid, dim3(cuda::threads), 0, ctx, table, n,
                       numbers);
        });
  });
}

void adam_step(CudaContext ctx, const ParameterUpdates& updates, const AdamStep& step,
               const StepControl& control) {
  double* numbers = control.data<double>();
  cuda::launch("adam", cuda::count_step, dim3(1), dim3(1), 0, ctx, numbers);
  const cuda::AdamNumbers n{step.beta1, step.beta2, step.eps, step.decoupled};
  const auto weight = [&](size_t i) { return updates[i].weight; };
  cuda::by_dtype(updates.size(), weight, "adam", [&]<class T>(const std::vector<size_t>& chosen) {
    cuda::for_tables(
        chosen.size(), [&](size_t i) { return cuda::row_of(updates[chosen[i]], step.step); },
        [&](const cuda::Table& table, dim3 grid) {
          cuda::launch("adam", cuda::adam_kernel<T>, grid, dim3(cuda::threads), 0, ctx, table, n,
                       numbers);
        });
  });
}

void ema_step(CudaContext ctx, const Tensors& averages, const Tensors& weights, double decay) {
  const auto average = [&](size_t i) { return averages[i]; };
  cuda::by_dtype(averages.size(), average, "ema", [&]<class T>(const std::vector<size_t>& chosen) {
    cuda::for_tables(
        chosen.size(),
        [&](size_t i) { return cuda::plain_row(averages[chosen[i]], weights[chosen[i]]); },
        [&](const cuda::Table& table, dim3 grid) {
          cuda::launch("ema", cuda::ema_kernel<T>, grid, dim3(cuda::threads), 0, ctx, table,
                       static_cast<T>(1 - decay));
        });
  });
}

void clip_by_norm(CudaContext ctx, const Tensors& grads, double max_norm, const Tensor& norm) {
  const auto grad = [&](size_t i) { return grads[i]; };
  const auto for_each_table = [&](const auto& start) {
    int first = 0;
    cuda::by_dtype(grads.size(), grad, "clip", [&]<class T>(const std::vector<size_t>& chosen) {
      cuda::for_tables(
          chosen.size(), [&](size_t i) { return cuda::plain_row(grads[chosen[i]], {}); },
          [&](cuda::Table table, dim3 grid) {
            table.first_partial = std::exchange(first, first + static_cast<int>(grid.x));
            start.template operator()<T>(table, grid);
          });
    });
  };
  int64_t chunks = 0;
  for (const Tensor& g : grads) chunks += cuda::chunks_of(g.numel());
  const Tensor partial = Tensor::empty({chunks + 1}, Dtype::float64, norm.device());
  double *sums = partial.data<double>(), *factor = sums + chunks;
  const dim3 block(cuda::threads);
  for_each_table([&]<class T>(const cuda::Table& table, dim3 grid) {
    cuda::launch("gradient norm", cuda::squares_kernel<T>, grid, block, 0, ctx, table, sums);
  });
  cuda::launch("gradient norm", cuda::norm_kernel, dim3(1), block, 0, ctx, chunks, sums, max_norm,
               norm.data<double>(), factor);
  if (max_norm == std::numeric_limits<double>::infinity()) return;
  for_each_table([&]<class T>(const cuda::Table& table, dim3 grid) {
    cuda::launch("clip", cuda::scale_kernel<T>, grid, block, 0, ctx, table, factor);
  });
}

}  // namespace kernels
}  // namespace cytograd
