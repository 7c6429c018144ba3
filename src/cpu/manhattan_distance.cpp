#include "kernels/manhattan_distance.h"

#include <vector>

#include "cpu/row_pairs.h"

namespace cytograd::kernels {

void manhattan_distance(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d) {
  const int64_t width = x.size(1);
  dispatch_floating(x.dtype(), "manhattan_distance", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>();
    const auto magnitudes = cpu::row_pairs<T>().magnitudes;
    cpu::fill_distances<T>(
        x, y, d,
        [=](int64_t i, int64_t first, int64_t count, double* out) {
          magnitudes(xs + i * width, {ys + first * width, width}, count, out);
        },
        [](double sum) { return sum; });
  });
}

void manhattan_distance_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dd,
                                 bool transposed, const Tensor& dx) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  dispatch_floating(x.dtype(), "manhattan_distance", [&]<class T>() {
    if (cpu::same_rows(x, y))
      return cpu::own_backward(x, dd.data<T>(), cpu::row_pairs<T>().own_signs, dx);
    const T *xs = x.data<T>(), *ys = y.data<T>(), *dds = dd.data<T>();
    T* out = dx.data<T>();
    const auto signs = cpu::row_pairs<T>().signs;
    parallel_for(n, 4, [=](int64_t begin, int64_t end) {
      std::vector<T> column(static_cast<size_t>(transposed ? m : 0));
      for (int64_t i = begin; i < end; ++i) {
        const T* weight = dds + i * m;
        if (transposed) {
          for (int64_t j = 0; j < m; ++j) column[static_cast<size_t>(j)] = dds[j * n + i];
          weight = column.data();
        }
        signs(xs + i * width, {ys, width}, m, weight, out + i * width);
      }
    });
  });
}

}  // namespace cytograd::kernels
