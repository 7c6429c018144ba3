#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/strided_loop.h"

namespace cytograd::kernels {
namespace {

// Rounds to nearest; beyond the range of To its nearest value, NaN 0.
template <class To, class From>
To to_integer(From x) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_floating_point_v<From>) {
    // -2^63 and 2^63 are floating numbers; the largest int64 is not.
    const From rounded = std::nearbyint(x), end = std::ldexp(From(1), Limits::digits);
    if (rounded >= end) return Limits::max();
    if (rounded <= static_cast<From>(Limits::min())) return Limits::min();
    return std::isnan(x) ? To(0) : static_cast<To>(rounded);
  } else {
    return static_cast<To>(std::clamp<int64_t>(x, Limits::min(), Limits::max()));
  }
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(to_float(x));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To>) {
    return to_integer<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace

void add_into(CpuContext, const Tensor& sum, const Tensor& term) {
  dispatch_floating(sum.dtype(), "add", [&]<class T>() {
    T* a = sum.data<T>();
    const T* b = term.data<T>();
    const cpu::StridedLoop<2> loop(sum.shape(), {sum.strides(), term.strides()});
    loop.run([=](const auto& at, const auto& stride, int64_t length) {
      T* to = a + at[0];
      const T* from = b + at[1];
      if (stride[0] == 1 && stride[1] == 1) {
        for (int64_t i = 0; i < length; ++i) to[i] += from[i];
      } else {
        for (int64_t i = 0; i < length; ++i) to[i * stride[0]] += from[i * stride[1]];
      }
    });
  });
}

void copy(CpuContext, const Tensor& destination, const Tensor& source) {
  if (destination.dtype() == source.dtype() && destination.is_contiguous() &&
      source.is_contiguous()) {
    auto* to = static_cast<char*>(destination.raw_data());
    const auto* from = static_cast<const char*>(source.raw_data());
    parallel_for(static_cast<int64_t>(destination.bytes()), int64_t{1} << 20,
                 [=](int64_t begin, int64_t end) {
                   std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
                 });
    return;
  }
  const cpu::StridedLoop<2> loop(destination.shape(), {destination.strides(), source.strides()});
  dispatch_all(destination.dtype(), [&]<class To>() {
    dispatch_all(source.dtype(), [&]<class From>() {
      To* to = destination.data<To>();
      const From* from = source.data<From>();
      loop.run([&](const auto& at, const auto& stride, int64_t length) {
        To* t = to + at[0];
        const From* f = from + at[1];
        if (stride[0] == 1 && stride[1] == 1) {
          for (int64_t i = 0; i < length; ++i) t[i] = convert<To>(f[i]);
        } else {
          for (int64_t i = 0; i < length; ++i) t[i * stride[0]] = convert<To>(f[i * stride[1]]);
        }
      });
    });
  });
}

void fill(CpuContext ctx, const Tensor& destination, double value) {
  Tensor one = Tensor::empty({}, destination.dtype());
  dispatch_all(destination.dtype(), [&]<class T>() { *one.data<T>() = convert<T>(value); });
  copy(ctx, destination,
       one.as_strided(destination.shape(), Shape::filled(destination.ndim(), 0), 0));
}

}  // namespace cytograd::kernels
