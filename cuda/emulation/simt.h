#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "cuda/emulation/coverage.h"
#include "cuda/emulation/scheduler.h"
#include "cuda/emulation/vector_types.h"
#include "src/core/sanitizers.h"

/// @file
/// What a kernel sees of CUDA when a host compiler compiles it. Included by cuda/core/kernel.cuh.

/// On the emulation's own functions: their accesses are not the kernel's.
#define CYTOGRAD_UNCHECKED __attribute__((no_sanitize("thread")))
/// The same, for functions that report an access at the line of the call.
#define CYTOGRAD_REPORTS __attribute__((noinline, no_sanitize("thread")))
#define CYTOGRAD_CALLER __builtin_return_address(0)
#define CYTOGRAD_SITE ::cytograd::simt::Site site = ::cytograd::simt::Site::current()

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __constant__
#define __align__(n) alignas(n)
#define __shared__ static_assert(false, "use CYTOGRAD_SHARED"),

namespace cytograd::simt {

CYTOGRAD_UNCHECKED inline uint3 thread_index() { return self->index; }
CYTOGRAD_UNCHECKED inline uint3 block_index() { return self->block->index; }
CYTOGRAD_UNCHECKED inline dim3 block_shape() { return self->block->shape; }
CYTOGRAD_UNCHECKED inline dim3 grid_shape() { return self->block->grid; }
CYTOGRAD_UNCHECKED inline char* dynamic_shared() { return self->block->dynamic; }

CYTOGRAD_UNCHECKED inline void order_blocks() { self->block->orders_blocks = true; }

/// Runs a kernel, its arguments converted to the parameter types as a real launch does.
template <class... P>
void launch(const Launch& shape, void (*kernel)(P...),
            const std::tuple<std::remove_cv_t<P>...>& arguments) {
  static_assert((std::is_trivially_copyable_v<std::remove_cv_t<P>> && ...),
                "kernel parameters are copied byte by byte");
  static_assert((!std::is_reference_v<P> && ...), "kernel parameters are values");
  struct Context {
    void (*kernel)(P...);
    const std::tuple<std::remove_cv_t<P>...>& arguments;
  } context{kernel, arguments};
  run_grid(
      shape,
      [](void* p) {
        const auto& c = *static_cast<Context*>(p);
        std::apply(
            [&](const auto&... a) __attribute__((no_sanitize("thread"))) {
              self->inside = 0;
              c.kernel(a...);
              self->inside = 1;
            },
            c.arguments);
      },
      &context);
  kernel_ran(reinterpret_cast<const void*>(kernel));
}
template <class... P, class... A>
requires(sizeof...(P) == sizeof...(A)) void launch(const Launch& shape, void (*kernel)(P...),
                                                   const A&... arguments) {
  launch(shape, kernel, std::tuple<std::remove_cv_t<P>...>(static_cast<P>(arguments)...));
}

// Every lane gets the value of lane from(own lane, width); out of its segment: its own.
template <class T, class From>
CYTOGRAD_UNCHECKED T shuffle(uint32_t mask, T value, int width, const char* name, From from,
                             Site site) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  struct Payload {
    T in, out;
    int from;
  } payload{value, value, from(static_cast<int>(self->lane), width)};
  const Combine combine = [](void* const* payloads, uint32_t lanes) {
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      Payload& mine = *static_cast<Payload*>(payloads[__builtin_ctz(rest)]);
      if (!(lanes >> mine.from & 1))
        fail("shuffle reads lane " + std::to_string(mine.from) + ", which its mask leaves out");
      mine.out = static_cast<Payload*>(payloads[mine.from])->in;
    }
  };
  warp_collective(mask, name, &payload, combine, false, site);
  return payload.out;
}

// Every lane gets the fold of the values of all lanes in the mask.
template <class T, class Fold>
CYTOGRAD_UNCHECKED T reduce(uint32_t mask, T value, const char* name, Fold, Site site) {
  T payload = value;
  const Combine combine = [](void* const* payloads, uint32_t lanes) {
    T sum{};
    bool first = true;
    for (uint32_t rest = lanes; rest; rest &= rest - 1, first = false) {
      const T next = *static_cast<T*>(payloads[__builtin_ctz(rest)]);
      sum = first ? next : Fold{}(sum, next);
    }
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      *static_cast<T*>(payloads[__builtin_ctz(rest)]) = sum;
  };
  warp_collective(mask, name, &payload, combine, false, site);
  return payload;
}

CYTOGRAD_UNCHECKED inline uint32_t ballot(uint32_t mask, bool vote, const char* name, Site site) {
  const uint32_t bit = vote ? 1u << self->lane : 0;
  const auto fold = [](uint32_t a, uint32_t b) { return a | b; };
  return reduce(mask, bit, name, fold, site);
}

}  // namespace cytograd::simt

#define threadIdx (::cytograd::simt::thread_index())
#define blockIdx (::cytograd::simt::block_index())
#define blockDim (::cytograd::simt::block_shape())
#define gridDim (::cytograd::simt::grid_shape())
inline constexpr int warpSize = 32;

#include "cuda/emulation/atomics.h"
#include "cuda/emulation/intrinsics.h"
