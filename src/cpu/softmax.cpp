#include "kernels/softmax.h"

#include "cpu/rows.h"

namespace cytograd::kernels {
namespace {

// An infinite maximum gives inf - inf = NaN throughout the row, as the formula does.
template <class T>
void softmax_row(const T* x, int64_t n, bool logarithm, T* y) {
  const T m = cpu::row_max(x, n);
  if (logarithm) {
    const double total = cpu::sum_terms(n, [=](int64_t i) { return math::exp(x[i] - m); });
    const T shift = static_cast<T>(std::log(total));
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] - m - shift;
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = math::exp(x[i] - m);
    const T scale = static_cast<T>(1 / cpu::sum_terms(n, [y](int64_t i) { return y[i]; }));
    for (int64_t i = 0; i < n; ++i) y[i] *= scale;
  }
}

}  // namespace

void softmax(CpuContext, const Tensor& x, int64_t n, bool logarithm, const Tensor& y) {
  if (n == 0) return;
  dispatch_floating(x.dtype(), "softmax", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    cpu::for_rows(x.numel() / n, n,
                  [=](int64_t row) { softmax_row(from + row * n, n, logarithm, to + row * n); });
  });
}

void softmax_backward(CpuContext, const Tensor& y, const Tensor& dy, int64_t n, bool logarithm,
                      const Tensor& dx) {
  if (n == 0) return;
  dispatch_floating(y.dtype(), "softmax", [&]<class T>() {
    const T *out = y.data<T>(), *g = dy.data<T>();
    T* to = dx.data<T>();
    cpu::for_rows(y.numel() / n, n, [=](int64_t row) {
      const T *p = out + row * n, *d = g + row * n;
      T* r = to + row * n;
      if (logarithm) {
        const T total = static_cast<T>(cpu::sum_terms(n, [d](int64_t i) { return d[i]; }));
        for (int64_t i = 0; i < n; ++i) r[i] = d[i] - math::exp(p[i]) * total;
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
