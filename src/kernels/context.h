#pragma once

#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"

/// @file
/// Where an operation meets its kernels. A kernel is an overload set on the context type.

namespace cytograd {

struct CpuContext {};

/// Calls `f` with the context of the device that `t` lives on.
template <class F>
decltype(auto) on_device(const Tensor& t, F&& f) {
  check<DeviceError>(t.device().type == DeviceType::cpu, "on_device", "this build has no ",
                     t.device(), "; it was built for the CPU");
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
