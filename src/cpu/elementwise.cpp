#include "kernels/elementwise.h"

#include <cstring>

#include "cpu/strided_loop.h"
#include "kernels/convert.h"

namespace cytograd::kernels {

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
