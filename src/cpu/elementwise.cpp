#include "kernels/elementwise.h"

#include <cmath>
#include <cstring>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t kGrain = 1 << 15;

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, bfloat16>) {
    return convert<To>(to_float(x));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return static_cast<To>(std::nearbyint(x));
  } else {
    return static_cast<To>(x);
  }
}

/// Walks rows (the last axis) of a strided tensor: f(row pointer offset in elements, stride,
/// length).
struct Rows {
  Shape shape;
  int64_t length = 1, count = 1;
  explicit Rows(const Shape& s) : shape(s) {
    if (s.ndim() > 0) length = s.back();
    count = length == 0 ? 0 : s.numel() / length;
  }
  int64_t offset(int64_t row, const Shape& strides) const {
    int64_t out = 0;
    for (int d = shape.ndim() - 2; d >= 0; --d) {
      out += row % shape[d] * strides[d];
      row /= shape[d];
    }
    return out;
  }
};

}  // namespace

void add_into(CpuContext, const Tensor& sum, const Tensor& term) {
  dispatch_floating(sum.dtype(), "add", [&]<class T>() {
    T* a = sum.data<T>();
    const T* b = term.data<T>();
    parallel_for(sum.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) a[i] += b[i];
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
  const Rows rows(destination.shape());
  const Shape to_strides = destination.strides(), from_strides = source.strides();
  dispatch_all(destination.dtype(), [&]<class To>() {
    dispatch_all(source.dtype(), [&]<class From>() {
      To* to = destination.data<To>();
      const From* from = source.data<From>();
      const int64_t ts = rows.shape.ndim() ? to_strides.back() : 1,
                    fs = rows.shape.ndim() ? from_strides.back() : 1;
      parallel_for(rows.count, std::max<int64_t>(1, kGrain / std::max<int64_t>(rows.length, 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t r = begin; r < end; ++r) {
                       To* t = to + rows.offset(r, to_strides);
                       const From* f = from + rows.offset(r, from_strides);
                       for (int64_t i = 0; i < rows.length; ++i) t[i * ts] = convert<To>(f[i * fs]);
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
