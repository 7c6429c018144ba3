#include "kernels/binary.h"

#include "cpu/strided_loop.h"

namespace cytograd::kernels {
namespace {

// One row. Unit and zero strides get loops of their own, which the compiler vectorises.
template <class T, class F>
void row(F f, T* y, const T* a, int64_t sa, const T* b, int64_t sb, int64_t n) {
  if (sa == 1 && sb == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else if (sa == 1 && sb == 0) {
    const T second = *b;
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], second);
  } else if (sa == 0 && sb == 1) {
    const T first = *a;
    for (int64_t i = 0; i < n; ++i) y[i] = f(first, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i * sa], b[i * sb]);
  }
}

}  // namespace

void binary(CpuContext, int function, const Tensor& a, const Tensor& b, const Tensor& y) {
  const cpu::StridedLoop<3> loop(y.shape(), {y.strides(), a.strides(), b.strides()});
  dispatch_floating(y.dtype(), "binary", [&]<class T>() {
    const T *from_a = a.data<T>(), *from_b = b.data<T>();
    T* to = y.data<T>();
    BinaryFunctions::call(function, [&](auto f) {
      loop.run([&](const auto& at, const auto& stride, int64_t length) {
        row(f, to + at[0], from_a + at[1], stride[1], from_b + at[2], stride[2], length);
      });
    });
  });
}

}  // namespace cytograd::kernels
