#include "kernels/pairwise_distance.h"

#include <cmath>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {

void pairwise_distance(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  dispatch_floating(x.dtype(), "pairwise_distance", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>();
    T* out = d.data<T>();
    parallel_for(n, 4, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < m; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < width; ++k) {
            const double difference = static_cast<double>(xs[i * width + k]) - ys[j * width + k];
            sum += difference * difference;
          }
          out[i * m + j] = static_cast<T>(std::sqrt(sum));
        }
      }
    });
  });
}

void pairwise_distance_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d,
                                const Tensor& dd, bool transposed, const Tensor& dx) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  dispatch_floating(x.dtype(), "pairwise_distance", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>(), *ds = d.data<T>(), *dds = dd.data<T>();
    T* out = dx.data<T>();
    parallel_for(n, 4, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        T* row = out + i * width;
        for (int64_t k = 0; k < width; ++k) row[k] = 0;
        for (int64_t j = 0; j < m; ++j) {
          const int64_t at = transposed ? j * n + i : i * m + j;
          if (ds[at] == T(0)) continue;
          const T factor = dds[at] / ds[at];
          for (int64_t k = 0; k < width; ++k)
            row[k] += factor * (xs[i * width + k] - ys[j * width + k]);
        }
      }
    });
  });
}

}  // namespace cytograd::kernels
