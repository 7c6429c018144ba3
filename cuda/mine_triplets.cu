#include "kernels/mine_triplets.h"

#include <climits>

#include "cuda/core/launch.cuh"
#include "cuda/core/reduce.cuh"

// A block per anchor. Counts are whole numbers, so that atomic additions give the same on every
// run.

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr int threads = 256;

// The row of the block.
template <class T>
struct Anchor {
  const T* distances;
  const int64_t* labels;
  int columns;
  int64_t label;
  int self;

  CYTOGRAD_DEVICE bool positive(int j) const { return labels[j] == label && j != self; }
  CYTOGRAD_DEVICE bool negative(int j) const { return labels[j] != label; }
};

template <class T>
CYTOGRAD_DEVICE Anchor<T> anchor_of_block(int columns, const T* distances,
                                          const int64_t* row_labels, const int64_t* column_labels,
                                          bool rows_are_columns) {
  const int a = static_cast<int>(blockIdx.x);
  return {distances + int64_t{a} * columns, column_labels, columns, row_labels[a],
          rows_are_columns ? a : -1};
}

// Fills the row c with zeros; true, with NaN, if a distance is NaN.
template <class T>
CYTOGRAD_DEVICE bool begin_row(const Anchor<T>& anchor, T* c) {
  int nan = 0;
  for (int j = static_cast<int>(threadIdx.x); j < anchor.columns; j += threads)
    nan |= anchor.distances[j] != anchor.distances[j];
  nan = __syncthreads_or(nan);
  const T value = nan ? static_cast<T>(NAN) : T(0);
  for (int j = static_cast<int>(threadIdx.x); j < anchor.columns; j += threads) c[j] = value;
  __syncthreads();
  return nan != 0;
}

CYTOGRAD_DEVICE void add_counts(unsigned long long* counts, int64_t count, int64_t active) {
  if (count > 0) atomicAdd(counts, static_cast<unsigned long long>(count));
  if (active > 0) atomicAdd(counts + 1, static_cast<unsigned long long>(active));
}

struct Lower {
  CYTOGRAD_HD int operator()(int a, int b) const { return a < b ? a : b; }
};
struct LargerOf {
  CYTOGRAD_HD double operator()(double a, double b) const { return a > b ? a : b; }
};

template <class T>
__global__ void __launch_bounds__(threads)
    mine_hardest(int columns, const T* __restrict__ distances,
                 const int64_t* __restrict__ row_labels, const int64_t* __restrict__ column_labels,
                 bool rows_are_columns, double margin, T* __restrict__ coefficients,
                 unsigned long long* counts) {
  const Anchor<T> anchor =
      anchor_of_block(columns, distances, row_labels, column_labels, rows_are_columns);
  T* const c = coefficients + int64_t{blockIdx.x} * columns;
  if (begin_row(anchor, c)) return;
  double far = -INFINITY, nearest = INFINITY;
  int p = INT_MAX, q = INT_MAX;
  for (int j = static_cast<int>(threadIdx.x); j < columns; j += threads) {
    const double d = anchor.distances[j];
    if (anchor.positive(j) && d > far) far = d, p = j;
    if (anchor.negative(j) && d < nearest) nearest = d, q = j;
  }
  const double farthest = block_reduce(far, -static_cast<double>(INFINITY), LargerOf{});
  const double closest = -block_reduce(-nearest, -static_cast<double>(INFINITY), LargerOf{});
  p = block_reduce(far == farthest ? p : INT_MAX, INT_MAX, Lower{});
  q = block_reduce(nearest == closest ? q : INT_MAX, INT_MAX, Lower{});
  if (threadIdx.x != 0 || p == INT_MAX || q == INT_MAX) return;
  const bool active = farthest - closest + margin > 0;
  if (active) {
    c[p] = T(1);
    c[q] = T(-1);
  }
  add_counts(counts, 1, active);
}

// Positives in shared memory, sorted by distance; those of no sample have an infinite one.
struct Positives {
  double* distance;
  int* column;
  int* steps;  // one more than there are positives
  int count;
};

// Bitonic: `size`, a power of two, holds all positives.
CYTOGRAD_DEVICE void sort_by_distance(const Positives& s, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int apart = run / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < size; i += threads) {
        const int k = i ^ apart;
        if (k < i) continue;
        const bool up = (i & run) == 0;
        if ((s.distance[i] > s.distance[k]) != up) continue;
        const double d = s.distance[i];
        s.distance[i] = s.distance[k];
        s.distance[k] = d;
        const int column = s.column[i];
        s.column[i] = s.column[k];
        s.column[k] = column;
      }
    }
  __syncthreads();
}

// Place of the first positive for which `holds`, which is monotone.
template <class Holds>
CYTOGRAD_DEVICE int first_where(const Positives& s, Holds holds) {
  int low = 0, high = s.count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (holds(s.distance[middle]))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// Gathers and sorts the positives of the anchor. `size`: room in shared memory, a power of two.
template <class T>
CYTOGRAD_DEVICE Positives gather_positives(const Anchor<T>& anchor, int size, double* memory) {
  CYTOGRAD_SHARED(int, found, [1]);
  Positives s{memory, reinterpret_cast<int*>(memory + size), nullptr, 0};
  s.steps = s.column + size;
  if (threadIdx.x == 0) found[0] = 0;
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < anchor.columns; j += threads)
    if (anchor.positive(j)) {
      const int place = atomicAdd(found, 1);
      s.distance[place] = anchor.distances[j];
      s.column[place] = j;
    }
  __syncthreads();
  s.count = found[0];
  int used = 1;
  while (used < s.count) used *= 2;
  for (int i = s.count + static_cast<int>(threadIdx.x); i < used; i += threads) {
    s.distance[i] = INFINITY;
    s.column[i] = INT_MAX;
  }
  for (int i = static_cast<int>(threadIdx.x); i <= s.count; i += threads) s.steps[i] = 0;
  sort_by_distance(s, used);
  return s;
}

template <class T>
__global__ void __launch_bounds__(threads)
    mine_all(int columns, int size, const T* __restrict__ distances,
             const int64_t* __restrict__ row_labels, const int64_t* __restrict__ column_labels,
             bool rows_are_columns, Mining mining, double margin, T* __restrict__ coefficients,
             unsigned long long* counts) {
  CYTOGRAD_DYNAMIC_SHARED(double, memory);
  CYTOGRAD_SHARED(int, sums, [threads]);
  const Anchor<T> anchor =
      anchor_of_block(columns, distances, row_labels, column_labels, rows_are_columns);
  T* const c = coefficients + int64_t{blockIdx.x} * columns;
  if (begin_row(anchor, c)) return;
  const Positives s = gather_positives(anchor, size, memory);
  if (s.count == 0) return;

  // How many triplets each positive is in, as steps between neighbours of the sorted order.
  int64_t triplets = 0;
  for (int q = static_cast<int>(threadIdx.x); q < columns; q += threads) {
    if (!anchor.negative(q)) continue;
    const double d = anchor.distances[q];
    const int first =
        first_where(s, [&](double p) { return kernels::positive_fits(mining, margin, p, d); });
    const int last =
        mining == Mining::semi_hard ? first_where(s, [&](double p) { return p >= d; }) : s.count;
    if (last <= first) continue;
    c[q] = static_cast<T>(first - last);
    atomicAdd(&s.steps[first], 1);
    atomicAdd(&s.steps[last], -1);
    triplets += last - first;
  }
  triplets = block_reduce(triplets);
  if (threadIdx.x == 0) add_counts(counts, triplets, triplets);

  // Running sums of the steps: each thread sums a share, then adds what comes before it.
  const int share = (s.count + threads - 1) / threads;
  const int begin = static_cast<int>(threadIdx.x) * share;
  const int end = min(begin + share, s.count);
  int own = 0;
  for (int i = begin; i < end; ++i) own += s.steps[i];
  sums[threadIdx.x] = own;
  __syncthreads();
  int times = 0;
  for (int before = 0; before < static_cast<int>(threadIdx.x); ++before) times += sums[before];
  for (int i = begin; i < end; ++i) {
    times += s.steps[i];
    c[s.column[i]] = static_cast<T>(times);
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

namespace {

template <class T>
void mine(CudaContext ctx, const Tensor& distances, const int64_t* row_labels,
          const int64_t* column_labels, const MiningOptions& options, T* coefficients,
          unsigned long long* counts) {
  constexpr const char* op = "mine_triplets";
  const int64_t rows = distances.size(0), columns = distances.size(1);
  const dim3 grid(static_cast<unsigned>(rows)), block(threads);
  if (options.mining == Mining::batch_hard) {
    launch(op, mine_hardest<T>, grid, block, 0, ctx, columns, distances.data<T>(), row_labels,
           column_labels, options.rows_are_columns, options.margin, coefficients, counts);
    return;
  }
  int64_t size = 1;
  while (size < columns) size *= 2;
  const size_t bytes = static_cast<size_t>(size) * (sizeof(double) + 2 * sizeof(int)) + 16;
  // Static arrays of the kernel take part of what a block may have.
  check<ShapeError>(bytes + 2048 <= properties(ctx.device).dynamic_shared, op, "the positives of ",
                    columns,
                    " columns do not fit into the shared memory of a block; expects fewer columns, "
                    "or batch_hard");
  launch(op, mine_all<T>, grid, block, bytes, ctx, columns, size, distances.data<T>(), row_labels,
         column_labels, options.rows_are_columns, options.mining, options.margin, coefficients,
         counts);
}

}  // namespace

void mine_triplets(CudaContext ctx, const Tensor& distances, const Tensor& row_labels,
                   const Tensor& column_labels, const MiningOptions& options,
                   const Tensor& coefficients, const Tensor& counts) {
  const auto *rows = row_labels.data<int64_t>(), *columns = column_labels.data<int64_t>();
  auto* const totals = static_cast<unsigned long long*>(counts.raw_data());
  if (distances.dtype() == Dtype::float32)
    mine<float>(ctx, distances, rows, columns, options, coefficients.data<float>(), totals);
  else
    mine<double>(ctx, distances, rows, columns, options, coefficients.data<double>(), totals);
}

}  // namespace kernels
}  // namespace cytograd
