#include "kernels/unary.h"

#include "cpu/rows.h"
#include "cpu/strided_loop.h"
#include "cytograd/core/parallel.h"

namespace cytograd::kernels {

namespace {

// The functions that are worth vectors as wide as the machine has, or null.
template <class T>
auto wide_kernel(int function) -> void (*)(const T*, int64_t, T*) {
  const simd::RowKernels<T>& kernels = cpu::row_kernels<T>();
  if (function == UnaryFunctions::index<Exp>()) return kernels.exp;
  if (function == UnaryFunctions::index<Sigmoid>()) return kernels.sigmoid;
  if (function == UnaryFunctions::index<Tanh>()) return kernels.tanh;
  return nullptr;
}

}  // namespace

void unary(CpuContext, int function, UnaryParams params, const Tensor& x, const Tensor& y) {
  dispatch_floating(x.dtype(), "unary", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    if (const auto kernel = wide_kernel<T>(function))
      return parallel_for(x.numel(), cpu::grain, [=](int64_t begin, int64_t end) {
        kernel(from + begin, end - begin, to + begin);
      });
    UnaryFunctions::call(function, [&](auto f) {
      parallel_for(x.numel(), cpu::grain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = f.value(from[i], params);
      });
    });
  });
}

void unary_backward(CpuContext, int function, UnaryParams params, const Tensor& saved,
                    const Tensor& dy, const Tensor& dx) {
  dispatch_floating(dy.dtype(), "unary", [&]<class T>() {
    const T* from = dy.data<T>();
    const T* s = saved.defined() ? saved.data<T>() : from;
    T* to = dx.data<T>();
    UnaryFunctions::call(function, [&](auto f) {
      parallel_for(dy.numel(), cpu::grain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = from[i] * f.slope(s[i], params);
      });
    });
  });
}

}  // namespace cytograd::kernels
