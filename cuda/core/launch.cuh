#pragma once

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "cuda/core/kernel.cuh"
#include "cuda/core/staging.h"
#include "cuda/core/stream.h"
#include "cytograd/core/error.h"
#include "kernels/context.h"

#ifndef __CUDACC__
#include "cuda/emulation/runtime.h"
#endif

/// @file
/// Starting kernels, for the host part of a .cu file.

namespace cytograd::cuda {

#ifdef __CUDACC__
/// In cuda/core/runtime.cpp.
struct LaunchShape {
  unsigned grid[3], block[3];
  size_t dynamic_shared;
};
void launch_kernel(const char* operation, const void* kernel, const LaunchShape& shape,
                   void** arguments, StreamHandle stream);
#endif

inline namespace CYTOGRAD_NS {

/// Puts `kernel` on the stream of `ctx`; arguments are converted to the parameter types first.
/// Nothing starts for an empty grid. @param operation  names the launch in errors
template <class... P, class... A>
void launch(const char* operation, void (*kernel)(P...), dim3 grid, dim3 block,
            size_t dynamic_shared, CudaContext ctx, const A&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel has parameters");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  set_operation(operation);
  std::tuple<std::remove_cv_t<P>...> values(static_cast<P>(arguments)...);
#ifdef __CUDACC__
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        launch_kernel(operation, reinterpret_cast<const void*>(kernel),
                      {{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, dynamic_shared},
                      pointers, ctx.stream->handle());
      },
      values);
#else
  const simt::Launch shape{grid, block, dynamic_shared, operation, 0};
  enqueue(ctx.stream->handle(), [shape, kernel, values] { simt::launch(shape, kernel, values); });
#endif
}

/// Blocks for a grid-stride loop over n elements of `per_block` each: enough to fill the device a
/// few times, no more.
inline dim3 grid_for(int64_t n, int64_t per_block, CudaContext ctx) {
  const int64_t wanted = (n + per_block - 1) / per_block;
  const int64_t most = int64_t{16} * properties(ctx.device).multiprocessors;
  return dim3(static_cast<unsigned>(std::min(wanted, most)));
}

/// A table in device memory with the same contents, kept for the process: pooling windows, taps.
template <class T>
const T* device_table(CudaContext ctx, const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  return static_cast<const T*>(
      constant_table(ctx.device, values.data(), values.size() * sizeof(T)));
}

}  // namespace CYTOGRAD_NS
}  // namespace cytograd::cuda
