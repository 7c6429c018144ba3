#pragma once

#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"

/// @file
/// Where an operation meets its kernels. A kernel is an overload set on the context type. Those for
/// CUDA are declared in every build; only a build with a device calls them.

namespace cytograd {

namespace cuda {
class Stream;
}

struct CpuContext {};

/// A kernel runs behind what was put on `stream` before it.
struct CudaContext {
  int device;
  cuda::Stream* stream;
};

#ifdef CYTOGRAD_CUDA
/// The stream that this thread uses on the device (cuda/core/stream.h).
CudaContext cuda_context(Device device);
#endif

/// Calls `f` with the context of the device that `t` lives on. Memory elsewhere does not exist in a
/// build for the CPU.
template <class F>
decltype(auto) on_device([[maybe_unused]] const Tensor& t, F&& f) {
#ifdef CYTOGRAD_CUDA
  if (t.device().type == DeviceType::cuda) return std::forward<F>(f)(cuda_context(t.device()));
#endif
  return std::forward<F>(f)(CpuContext{});
}

/// Calls `f.operator()<T>()` with float or double. @throws DtypeError naming `op`
template <class F>
decltype(auto) dispatch_floating(Dtype dtype, const char* op, F&& f) {
  if (dtype == Dtype::float32) return f.template operator()<float>();
  check<DtypeError>(dtype == Dtype::float64, op, "expects float32 or float64, got ", dtype);
  return f.template operator()<double>();
}

/// The same for every element type.
template <class F>
decltype(auto) dispatch_all(Dtype dtype, F&& f) {
  switch (dtype) {
    case Dtype::float32:
      return f.template operator()<float>();
    case Dtype::float64:
      return f.template operator()<double>();
    case Dtype::bfloat16:
      return f.template operator()<bfloat16>();
    case Dtype::int64:
      return f.template operator()<int64_t>();
    case Dtype::uint8:
      break;
  }
  return f.template operator()<uint8_t>();
}

}  // namespace cytograd
