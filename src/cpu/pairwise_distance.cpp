#include "kernels/pairwise_distance.h"

#include <cmath>
#include <vector>

#include "cpu/row_pairs.h"

namespace cytograd::kernels {

void pairwise_distance(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d) {
  const int64_t width = x.size(1);
  dispatch_floating(x.dtype(), "pairwise_distance", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>();
    const auto squares = cpu::row_pairs<T>().squares;
    cpu::fill_distances<T>(
        x, y, d,
        [=](int64_t i, int64_t first, int64_t count, double* out) {
          squares(xs + i * width, {ys + first * width, width}, count, out);
        },
        [](double sum) { return std::sqrt(sum); });
  });
}

namespace {

// dd / d, 0 where d is 0; false if most are 0, so that rows rather than pairs should be gone
// through.
template <class T>
bool pair_weights(const Tensor& d, const Tensor& dd, std::vector<T>& weight) {
  const T *ds = d.data<T>(), *dds = dd.data<T>();
  weight.resize(static_cast<size_t>(d.numel()));
  size_t used = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    weight[i] = ds[i] == T(0) ? T(0) : dds[i] / ds[i];
    used += weight[i] != T(0);
  }
  return used * 4 > weight.size();
}

}  // namespace

void pairwise_distance_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d,
                                const Tensor& dd, bool transposed, const Tensor& dx) {
  const int64_t n = x.size(0), m = y.size(0), width = x.size(1);
  dispatch_floating(x.dtype(), "pairwise_distance", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>(), *ds = d.data<T>(), *dds = dd.data<T>();
    T* out = dx.data<T>();
    std::vector<T> weights;
    if (cpu::same_rows(x, y) && pair_weights(d, dd, weights))
      return cpu::own_backward(x, weights.data(), cpu::row_pairs<T>().own_differences, dx);
    const auto differences = cpu::row_pairs<T>().differences;
    parallel_for(n, 4, [=](int64_t begin, int64_t end) {
      std::vector<T> weight(static_cast<size_t>(m));
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t j = 0; j < m; ++j) {
          const int64_t at = transposed ? j * n + i : i * m + j;
          weight[static_cast<size_t>(j)] = ds[at] == T(0) ? T(0) : dds[at] / ds[at];
        }
        differences(xs + i * width, {ys, width}, m, weight.data(), out + i * width);
      }
    });
  });
}

}  // namespace cytograd::kernels
