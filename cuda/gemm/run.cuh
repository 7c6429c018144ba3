#pragma once

#include <algorithm>

#include "cuda/core/launch.cuh"
#include "cuda/gemm/multiply.cuh"
#include "cytograd/core/tensor.h"
#include "kernels/context.h"

/// @file
/// Starts a product: cuts it into tiles and splits, finds scratch memory, launches.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// How many parts the depth is cut into: enough that `tiles` blocks fill a large device twice, but
/// each part at least 8 steps deep. Depends on the sizes alone, so that results do not depend on
/// the device.
inline int64_t split_count(int64_t tiles, int64_t steps) {
  constexpr int64_t wanted_blocks = 264, least_steps = 8, most = 64;
  return std::clamp(std::min(wanted_blocks / std::max<int64_t>(tiles, 1), steps / least_steps),
                    int64_t{1}, most);
}

template <class T>
bool is_wide(const void* data, int64_t pitch, int64_t columns) {
  constexpr int64_t count = per_chunk<T>;
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && pitch % count == 0 && columns % count == 0;
}

/// Fills in how `p` is cut into the tiles of a Math, runs it by start(p, blocks), and adds up the
/// splits.
/// @return rows of tiles @throws ValueError for sizes beyond 2^31
template <class Math, class SourceA, class SourceB, class T, class Start>
int run_cut(const char* op, CudaContext ctx, Problem<SourceA, SourceB, T> p, const Start& start) {
  using Sum = typename Output<T>::Sum;
  if (p.m == 0 || p.n == 0 || p.batch.count == 0) return 0;
  const int64_t tiles_m = ceil_div(p.m, Math::rows), tiles_n = ceil_div(p.n, Math::cols);
  const int64_t tiles = tiles_m * tiles_n * p.batch.count, steps = ceil_div(p.k, Math::depth);
  int64_t splits = p.sums.partial ? 1 : split_count(tiles, steps);
  const int64_t split_steps = std::max<int64_t>(1, ceil_div(steps, splits));
  splits = std::max<int64_t>(1, ceil_div(steps, split_steps));
  check<ValueError>(tiles * splits < (int64_t{1} << 31), op, "the product is too large: ", p.m,
                    " x ", p.n, " x ", p.k, ", ", p.batch.count, " times");
  p.tiles_m = int(tiles_m);
  p.tiles_n = int(tiles_n);
  p.splits = int(splits);
  p.split_depth = int(std::min<int64_t>(split_steps * Math::depth, std::max(p.k, 1)));
  p.partial_pitch = int(ceil_div(p.n, partial_chunk) * partial_chunk);
  Tensor scratch;
  const int64_t lines = int64_t{p.batch.count} * p.m;
  if (splits > 1) {
    constexpr Dtype dtype = sizeof(Sum) == 8 ? Dtype::float64 : Dtype::float32;
    scratch =
        Tensor::empty(Shape{lines * splits * p.partial_pitch}, dtype, Device::cuda(ctx.device));
    p.partial = static_cast<Sum*>(scratch.raw_data());
  }
  start(p, static_cast<int>(tiles * splits));
  if (splits == 1) return p.tiles_m;
  const int64_t chunks = lines * (p.partial_pitch / partial_chunk);
  launch(op, sum_partials<T>, dim3(unsigned(ceil_div(chunks, 256))), dim3(256), 0, ctx, chunks, p.m,
         p.n, p.splits, p.partial, p.partial_pitch, p.batch, p.out);
  return p.tiles_m;
}

/// Runs `p` with the main loop of multiply.cuh. @return as run_cut
template <class Math, class A, class B, class T>
int run(const char* op, CudaContext ctx,
        const Problem<typename A::Source, typename B::Source, T>& problem) {
  return run_cut<Math>(op, ctx, problem, [&](const auto& p, int blocks) {
    launch(op, multiply<Math, A, B, T>, dim3(unsigned(blocks)), dim3(Math::threads),
           shared_bytes_of<Math, A, B>, ctx, p);
  });
}

/// Sizes and counts of a product are ints on the device.
inline int checked_int(const char* op, int64_t size) {
  check<ValueError>(size >= 0 && size < (int64_t{1} << 31) - 4096, op, "a size of ", size,
                    " is beyond what the CUDA kernels index");
  return static_cast<int>(size);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
