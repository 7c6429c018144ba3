#include "kernels/cholesky.h"

#include <limits>

#include "cuda/core/launch.cuh"
#include "cuda/core/reduce.cuh"

// Blocks of 64 rows. Diagonal blocks are factored and inverted by one block of threads in shared
// memory; all else is products of tiles.

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr int edge = 64, edge_step = edge + 1;  // the step keeps columns in different banks
constexpr int threads = 256;

// W = L^-1 of a lower triangular block in shared memory: four threads make a column together.
template <class T>
__device__ inline void invert_lower(int size, const T* l, T* w) {
  const int column = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  for (int i = 0; i < size; ++i) {
    T sum = 0;
    for (int k = column + part; k < i && column < size; k += 4)
      sum += l[i * edge_step + k] * w[k * edge_step + column];
    sum += __shfl_xor_sync(full_warp, sum, 1);
    sum += __shfl_xor_sync(full_warp, sum, 2);
    if (part == 0 && column < size)
      w[i * edge_step + column] =
          i < column ? T(0) : ((i == column ? T(1) : T(0)) - sum) / l[i * edge_step + i];
    __syncwarp();
  }
}

// Copies a block of `size` rows and columns, lower part; above it 0.
template <class T>
__device__ inline void load_lower(int size, const T* from, int64_t step, T* to) {
  for (int t = static_cast<int>(threadIdx.x); t < size * size; t += threads) {
    const int i = t / size, j = t - i * size;
    to[i * edge_step + j] = j <= i ? from[i * step + j] : T(0);
  }
  __syncthreads();
}

// Factors the diagonal block at a (step elements between rows) in place and writes its inverse to
// w [edge, edge].
template <class T>
__global__ void __launch_bounds__(threads)
    factor_diagonal(int size, T* a, int64_t step, T* __restrict__ w) {
  CYTOGRAD_DYNAMIC_SHARED(T, l);
  T* const inverse = l + edge * edge_step;
  load_lower(size, a, step, l);
  for (int j = 0; j < size; ++j) {
    const T square = l[j * edge_step + j];
    const T pivot = square > 0 ? std::sqrt(square) : std::numeric_limits<T>::quiet_NaN();
    __syncthreads();  // all have read the square
    for (int i = j + static_cast<int>(threadIdx.x); i < size; i += threads)
      l[i * edge_step + j] = i == j ? pivot : l[i * edge_step + j] / pivot;
    __syncthreads();
    const int rest = size - j - 1;
    for (int t = static_cast<int>(threadIdx.x); t < rest * rest; t += threads) {
      const int i = j + 1 + t / rest, k = j + 1 + t % rest;
      if (k <= i) l[i * edge_step + k] -= l[i * edge_step + j] * l[k * edge_step + j];
    }
    __syncthreads();
  }
  invert_lower(size, l, inverse);
  __syncthreads();
  for (int t = static_cast<int>(threadIdx.x); t < size * size; t += threads) {
    const int i = t / size, j = t - i * size;
    a[i * step + j] = l[i * edge_step + j];
    w[i * edge + j] = inverse[i * edge_step + j];
  }
}

// w[block] = inverse of each diagonal block of l [n, n].
template <class T>
__global__ void __launch_bounds__(threads)
    invert_diagonals(int64_t n, const T* __restrict__ l, T* __restrict__ w) {
  CYTOGRAD_DYNAMIC_SHARED(T, block);
  T* const inverse = block + edge * edge_step;
  const int64_t first = int64_t{blockIdx.x} * edge;
  const int size = n - first < edge ? static_cast<int>(n - first) : edge;
  load_lower(size, l + first * n + first, n, block);
  invert_lower(size, block, inverse);
  __syncthreads();
  for (int t = static_cast<int>(threadIdx.x); t < size * size; t += threads) {
    const int i = t / size, j = t - i * size;
    w[first * edge + i * edge + j] = inverse[i * edge_step + j];
  }
}

// An element of a matrix is at data[i * row + j * column].
template <class T>
struct Matrix {
  T* data;
  int64_t row, column;
};

// c = a b, or c -= a b, for k <= edge: a tile of 64 x 64 per block, 4 x 4 elements per thread. c is
// written after everything was read, so it may be a (if n <= edge) or b (if m <= edge).
template <bool SUBTRACT, class T>
__global__ void __launch_bounds__(threads, 2)
    tile_product(int64_t m, int64_t n, int k, Matrix<const T> a, Matrix<const T> b, Matrix<T> c,
                 bool lower_only) {
  constexpr int depth = 16;
  CYTOGRAD_SHARED(T, as, [depth][edge_step]);
  CYTOGRAD_SHARED(T, bs, [depth][edge_step]);
  const int64_t tiles = ceil_div(n, edge);
  const int64_t i0 = blockIdx.x / tiles * edge, j0 = blockIdx.x % tiles * edge;
  if (lower_only && j0 > i0) return;  // the whole block
  const int tx = static_cast<int>(threadIdx.x) % 16, ty = static_cast<int>(threadIdx.x) / 16;
  T sum[4][4] = {};
  for (int k0 = 0; k0 < k; k0 += depth) {
    for (int t = static_cast<int>(threadIdx.x); t < depth * edge; t += threads) {
      // Lanes run along the axis that is contiguous in memory.
      const bool along_k = a.column == 1;
      const int ak = along_k ? t % depth : t / edge, ai = along_k ? t / depth : t % edge;
      const int bk = b.column == 1 ? t / edge : t % depth,
                bj = b.column == 1 ? t % edge : t / depth;
      as[ak][ai] =
          k0 + ak < k && i0 + ai < m ? a.data[(i0 + ai) * a.row + (k0 + ak) * a.column] : T(0);
      bs[bk][bj] =
          k0 + bk < k && j0 + bj < n ? b.data[(k0 + bk) * b.row + (j0 + bj) * b.column] : T(0);
    }
    __syncthreads();
#pragma unroll
    for (int d = 0; d < depth; ++d)
#pragma unroll
      for (int p = 0; p < 4; ++p)
#pragma unroll
        for (int q = 0; q < 4; ++q) sum[p][q] += as[d][ty + 16 * p] * bs[d][tx + 16 * q];
    __syncthreads();
  }
#pragma unroll
  for (int p = 0; p < 4; ++p)
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      const int64_t i = i0 + ty + 16 * p, j = j0 + tx + 16 * q;
      if (i >= m || j >= n) continue;
      T& to = c.data[i * c.row + j * c.column];
      to = SUBTRACT ? to - sum[p][q] : sum[p][q];
    }
}

template <class T>
__global__ void __launch_bounds__(threads) scale_lower(int64_t n, const T* x, T below, T on, T* y) {
  for (const int64_t t : grid_stride(n * n)) {
    const int64_t i = t / n, j = t - i * n;
    y[t] = j < i ? below * x[t] : j == i ? on * x[t] : T(0);
  }
}

template <class T>
constexpr size_t shared_bytes = 2 * edge* edge_step * sizeof(T);

template <bool SUBTRACT, class T>
void multiply(CudaContext ctx, const char* op, int64_t m, int64_t n, int64_t k, Matrix<const T> a,
              Matrix<const T> b, Matrix<T> c, bool lower_only = false) {
  const int64_t tiles = ceil_div(m, edge) * ceil_div(n, edge);
  launch(op, tile_product<SUBTRACT, T>, dim3(static_cast<unsigned>(tiles)), dim3(threads), 0, ctx,
         m, n, k, a, b, c, lower_only);
}

template <class T>
void zero_above(CudaContext ctx, const char* op, const Tensor& x, double below, double on,
                const Tensor& y) {
  launch(op, scale_lower<T>, grid_for(x.numel(), threads, ctx), dim3(threads), 0, ctx, x.size(0),
         x.data<T>(), below, on, y.data<T>());
}

// Right-looking: a block of columns, then what it takes off the triangle after it.
template <class T>
void factor(CudaContext ctx, const Tensor& matrix) {
  constexpr const char* op = "cholesky";
  const int64_t n = matrix.size(0);
  const Tensor inverse = Tensor::empty({edge, edge}, matrix.dtype(), matrix.device());
  T *l = matrix.data<T>(), *w = inverse.data<T>();
  for (int64_t b = 0; b < n; b += edge) {
    const int64_t end = std::min<int64_t>(n, b + edge), width = end - b, rest = n - end;
    launch(op, factor_diagonal<T>, dim3(1), dim3(threads), shared_bytes<T>, ctx, width,
           l + b * n + b, n, w);
    if (rest == 0) break;
    T* panel = l + end * n + b;
    multiply<false, T>(ctx, op, rest, width, width, {panel, n, 1}, {w, 1, edge}, {panel, n, 1});
    multiply<true, T>(ctx, op, rest, rest, width, {panel, n, 1}, {panel, 1, n},
                      {l + end * n + end, n, 1}, true);
  }
  zero_above<T>(ctx, op, matrix, 1, 1, matrix);
}

template <class T>
void solve(CudaContext ctx, const Tensor& matrix, bool transposed, const Tensor& right) {
  constexpr const char* op = "triangular_solve";
  const int64_t n = matrix.size(0), columns = right.size(1), blocks = ceil_div(n, edge);
  const Tensor inverses = Tensor::empty({blocks * edge, edge}, matrix.dtype(), matrix.device());
  const T* l = matrix.data<T>();
  T *w = inverses.data<T>(), *x = right.data<T>();
  launch(op, invert_diagonals<T>, dim3(static_cast<unsigned>(blocks)), dim3(threads),
         shared_bytes<T>, ctx, n, l, w);
  for (int64_t step = 0; step < blocks; ++step) {
    const int64_t first = (transposed ? blocks - 1 - step : step) * edge,
                  end = std::min<int64_t>(n, first + edge), width = end - first;
    T* mine = x + first * columns;
    const T* of_block = w + first * edge;
    multiply<false, T>(
        ctx, op, width, columns, width,
        transposed ? Matrix<const T>{of_block, 1, edge} : Matrix<const T>{of_block, edge, 1},
        {mine, columns, 1}, {mine, columns, 1});
    if (transposed && first > 0)
      multiply<true, T>(ctx, op, first, columns, width, {l + first * n, 1, n}, {mine, columns, 1},
                        {x, columns, 1});
    if (!transposed && end < n)
      multiply<true, T>(ctx, op, n - end, columns, width, {l + end * n + first, n, 1},
                        {mine, columns, 1}, {x + end * columns, columns, 1});
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void cholesky(CudaContext ctx, const Tensor& l) {
  if (l.numel() == 0) return;
  dispatch_floating(l.dtype(), "cholesky", [&]<class T>() { cuda::factor<T>(ctx, l); });
}

void triangular_solve(CudaContext ctx, const Tensor& l, bool transposed, const Tensor& x) {
  if (x.numel() == 0) return;
  dispatch_floating(l.dtype(), "triangular_solve",
                    [&]<class T>() { cuda::solve<T>(ctx, l, transposed, x); });
}

void lower_triangle(CudaContext ctx, const Tensor& x, double factor, double diagonal,
                    const Tensor& y) {
  if (x.numel() == 0) return;
  dispatch_floating(x.dtype(), "cholesky", [&]<class T>() {
    cuda::zero_above<T>(ctx, "cholesky", x, factor, factor * diagonal, y);
  });
}

}  // namespace kernels
}  // namespace cytograd
