#pragma once

#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"

/// @file
/// Distances between all rows of two matrices, and their gradient. A Pair says which distance.

namespace cytograd::cuda::inline CYTOGRAD_NS {

inline constexpr int distance_tile = 64;  ///< rows of x and of y per block of 16 x 16 threads
inline constexpr int distance_depth = 16;

/// d[i, j] = Pair::finish(sum_k Pair::term(x[i, k] - y[j, k])). Sums run over `distance_depth`
/// terms on their own, so that rounding errors of long rows do not pile up.
template <class Pair, class T>
__global__ void __launch_bounds__(256, 2)
    distances(int64_t n, int64_t m, int64_t width, const T* __restrict__ x, const T* __restrict__ y,
              T* __restrict__ d) {
  CYTOGRAD_SHARED(T, xs, [distance_depth][distance_tile + 1]);
  CYTOGRAD_SHARED(T, ys, [distance_depth][distance_tile + 1]);
  const int tx = static_cast<int>(threadIdx.x) % 16, ty = static_cast<int>(threadIdx.x) / 16;
  const int64_t tiles = ceil_div(m, distance_tile);
  const int64_t i0 = blockIdx.x / tiles * distance_tile, j0 = blockIdx.x % tiles * distance_tile;
  T total[4][4] = {};
  for (int64_t k0 = 0; k0 < width; k0 += distance_depth) {
    for (int t = static_cast<int>(threadIdx.x); t < distance_depth * distance_tile; t += 256) {
      const int row = t / distance_depth, k = t % distance_depth;
      const bool inside = k0 + k < width;
      xs[k][row] = inside && i0 + row < n ? x[(i0 + row) * width + k0 + k] : T(0);
      ys[k][row] = inside && j0 + row < m ? y[(j0 + row) * width + k0 + k] : T(0);
    }
    __syncthreads();
    T part[4][4] = {};
#pragma unroll 4
    for (int k = 0; k < distance_depth; ++k)
#pragma unroll
      for (int a = 0; a < 4; ++a)
#pragma unroll
        for (int b = 0; b < 4; ++b) {
          const T difference = xs[k][ty + 16 * a] - ys[k][tx + 16 * b];
          part[a][b] += Pair::term(difference);
        }
#pragma unroll
    for (int a = 0; a < 4; ++a)
#pragma unroll
      for (int b = 0; b < 4; ++b) total[a][b] += part[a][b];
    __syncthreads();
  }
#pragma unroll
  for (int a = 0; a < 4; ++a)
#pragma unroll
    for (int b = 0; b < 4; ++b) {
      const int64_t i = i0 + ty + 16 * a, j = j0 + tx + 16 * b;
      if (i < n && j < m) d[i * m + j] = Pair::finish(total[a][b]);
    }
}

inline constexpr int gradient_tile = 32;  ///< rows and columns of dx per block of 32 x 8 threads

/// dx[i, k] = sum_j f[i, j] Pair::slope(x[i, k] - y[j, k]) with f = Pair::factor(d, dd), left out
/// where it is 0. `d` may be null for pairs that do not use it.
template <class Pair, class T>
__global__ void __launch_bounds__(256, 3)
    distance_gradient(int64_t n, int64_t m, int64_t width, const T* __restrict__ x,
                      const T* __restrict__ y, const T* __restrict__ d, const T* __restrict__ dd,
                      bool transposed, T* __restrict__ dx) {
  CYTOGRAD_SHARED(T, factor, [gradient_tile][gradient_tile + 1]);
  CYTOGRAD_SHARED(T, ys, [gradient_tile][gradient_tile]);
  const int lane = static_cast<int>(threadIdx.x) % 32, line = static_cast<int>(threadIdx.x) / 32;
  const int64_t tiles = ceil_div(width, gradient_tile);
  const int64_t i0 = blockIdx.x / tiles * gradient_tile,
                k = blockIdx.x % tiles * gradient_tile + lane;
  T mine[4], total[4] = {};
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const int64_t i = i0 + line + 8 * r;
    mine[r] = i < n && k < width ? x[i * width + k] : T(0);
  }
  for (int64_t j0 = 0; j0 < m; j0 += gradient_tile) {
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const int other = line + 8 * r;
      // Lanes run along the axis that is contiguous in d: j, or i if it is transposed.
      const int64_t i = i0 + (transposed ? lane : other), j = j0 + (transposed ? other : lane);
      T f = 0;
      if (i < n && j < m) {
        const int64_t at = transposed ? j * n + i : i * m + j;
        f = Pair::factor(d ? d[at] : T(1), dd[at]);
      }
      factor[transposed ? lane : other][transposed ? other : lane] = f;
      ys[other][lane] = j0 + other < m && k < width ? y[(j0 + other) * width + k] : T(0);
    }
    __syncthreads();
    T part[4] = {};
    const int count = m - j0 < gradient_tile ? static_cast<int>(m - j0) : gradient_tile;
    for (int j = 0; j < count; ++j) {
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        const T f = factor[line + 8 * r][j];
        part[r] += f == T(0) ? T(0) : f * Pair::slope(mine[r] - ys[j][lane]);
      }
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) total[r] += part[r];
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 4; ++r) {
    const int64_t i = i0 + line + 8 * r;
    if (i < n && k < width) dx[i * width + k] = total[r];
  }
}

template <class Pair>
void launch_distances(CudaContext ctx, const char* op, const Tensor& x, const Tensor& y,
                      const Tensor& d) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  if (n * m == 0) return;
  const int64_t tiles = ceil_div(n, distance_tile) * ceil_div(m, distance_tile);
  dispatch_floating(x.dtype(), op, [&]<class T>() {
    launch(op, distances<Pair, T>, dim3(static_cast<unsigned>(tiles)), dim3(256), 0, ctx, n, m,
           width, x.data<T>(), y.data<T>(), d.data<T>());
  });
}

/// `d` undefined: Pair does not use it.
template <class Pair>
void launch_distance_gradient(CudaContext ctx, const char* op, const Tensor& x, const Tensor& y,
                              const Tensor& d, const Tensor& dd, bool transposed,
                              const Tensor& dx) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  if (n * width == 0) return;
  const int64_t tiles = ceil_div(n, gradient_tile) * ceil_div(width, gradient_tile);
  dispatch_floating(x.dtype(), op, [&]<class T>() {
    launch(op, distance_gradient<Pair, T>, dim3(static_cast<unsigned>(tiles)), dim3(256), 0, ctx, n,
           m, width, x.data<T>(), y.data<T>(), d.defined() ? d.data<T>() : nullptr, dd.data<T>(),
           transposed, dx.data<T>());
  });
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
