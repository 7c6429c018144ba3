#pragma once

#include <cstdint>
#include <initializer_list>

#include "cuda/core/kernel.cuh"
#include "cytograd/core/dtype.h"
#include "cytograd/core/error.h"

/// @file
/// Elements as kernels work with them: read and written 16 bytes at a time where sizes and
/// addresses allow it, computed in float (float32, bfloat16) or double (float64).

namespace cytograd::cuda::inline CYTOGRAD_NS {

template <class T>
struct AccumulatorOf {
  using type = T;
};
template <>
struct AccumulatorOf<bfloat16> {
  using type = float;
};
/// The type in which elements of T are computed and summed.
template <class T>
using Accumulator = typename AccumulatorOf<T>::type;

template <class T>
__device__ inline Accumulator<T> widen(T x) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_float(x);
  else
    return x;
}
/// Rounds to nearest even.
template <class T>
__device__ inline T narrow(Accumulator<T> x) {
  if constexpr (std::is_same_v<T, bfloat16>)
    return to_bfloat16(x);
  else
    return x;
}

/// a / b for a, b >= 0; 32 bits suffice for nearly all sizes and are several times as fast.
__device__ inline int64_t quotient(int64_t a, int64_t b) {
  if (((a | b) >> 32) == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
  return a / b;
}

/// Elements of T in 16 bytes.
template <class T>
inline constexpr int pack_width = static_cast<int>(16 / sizeof(T));

/// V neighbouring elements, widened. V is 1 or pack_width<T>.
template <class T, int V>
struct Vector {
  Accumulator<T> v[V];
};

template <int V, class T>
__device__ inline Vector<T, V> load(const T* from) {
  Vector<T, V> out;
  if constexpr (V == 1) {
    out.v[0] = widen(*from);
  } else {
    const auto raw = ld16<Pack<T, V>>(from);
#pragma unroll
    for (int k = 0; k < V; ++k) out.v[k] = widen(raw.v[k]);
  }
  return out;
}

template <int V, class T>
__device__ inline void store(T* to, const Vector<T, V>& x) {
  if constexpr (V == 1) {
    *to = narrow<T>(x.v[0]);
  } else {
    Pack<T, V> raw;
#pragma unroll
    for (int k = 0; k < V; ++k) raw.v[k] = narrow<T>(x.v[k]);
    st16(to, raw);
  }
}

/// Calls f.template operator()<V>() with V = pack_width<T> if every pointer (null counts as
/// aligned) and every size in elements is a multiple of a pack, else with V = 1.
template <class T, class F>
void with_packs(std::initializer_list<const void*> pointers, std::initializer_list<int64_t> sizes,
                F&& f) {
  bool wide = true;
  for (const void* p : pointers) wide = wide && reinterpret_cast<uintptr_t>(p) % 16 == 0;
  for (const int64_t n : sizes) wide = wide && n % pack_width<T> == 0;
  if (wide)
    f.template operator()<pack_width<T>>();
  else
    f.template operator()<1>();
}

/// Calls f.template operator()<T>() with float, double or bfloat16. @throws DtypeError naming `op`
template <class F>
void dispatch_storage(Dtype dtype, const char* op, F&& f) {
  if (dtype == Dtype::bfloat16) return f.template operator()<bfloat16>();
  if (dtype == Dtype::float32) return f.template operator()<float>();
  check<DtypeError>(dtype == Dtype::float64, op, "expects float32, float64 or bfloat16, got ",
                    dtype);
  f.template operator()<double>();
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
