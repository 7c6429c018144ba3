#include "kernels/softmax.h"

#include "cpu/rows.h"

namespace cytograd::kernels {

void softmax(CpuContext, const Tensor& x, int64_t n, bool logarithm, const Tensor& y) {
  if (n == 0) return;
  dispatch_floating(x.dtype(), "softmax", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const auto kernel = cpu::row_kernels<T>().softmax;
    cpu::for_row_blocks(x.numel() / n, n, [=](int64_t begin, int64_t end) {
      kernel(from + begin * n, end - begin, n, logarithm, to + begin * n);
    });
  });
}

void softmax_backward(CpuContext, const Tensor& y, const Tensor& dy, int64_t n, bool logarithm,
                      const Tensor& dx) {
  if (n == 0) return;
  dispatch_floating(y.dtype(), "softmax", [&]<class T>() {
    const T *out = y.data<T>(), *g = dy.data<T>();
    T* to = dx.data<T>();
    const auto exp_scaled = cpu::row_kernels<T>().exp_scaled;
    cpu::for_rows(y.numel() / n, n, [=](int64_t row) {
      const T *p = out + row * n, *d = g + row * n;
      T* r = to + row * n;
      if (logarithm) {
        const T zero = 0;
        const T total = static_cast<T>(cpu::sum_terms(n, [d](int64_t i) { return d[i]; }));
        exp_scaled(p, 1, n, &zero, &total, r);
        for (int64_t i = 0; i < n; ++i) r[i] = d[i] - r[i];
      } else {
        const T dot = static_cast<T>(cpu::sum_terms(n, [d, p](int64_t i) {
          return static_cast<double>(d[i]) * static_cast<double>(p[i]);
        }));
        for (int64_t i = 0; i < n; ++i) r[i] = p[i] * (d[i] - dot);
      }
    });
  });
}

}  // namespace cytograd::kernels
