#include "kernels/squared_error.h"

#include <algorithm>
#include <vector>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t chunk_values = 1 << 14;

// Rows per chunk. Without weights rows are of no meaning and one value is a row.
int64_t grain(int64_t channels) { return std::max<int64_t>(1, chunk_values / channels); }

// Eight chains of additions, so that none waits for the one before.
template <class T>
double sum_of_squares(const T* x, const T* y, int64_t n) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) {
      const double d = static_cast<double>(x[i + k]) - static_cast<double>(y[i + k]);
      sums[k] += d * d;
    }
  for (; i < n; ++i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sums[0] += d * d;
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

template <class T>
double weighted_sum(const T* x, const T* y, const T* weight, int64_t rows, int64_t channels) {
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const double d =
          static_cast<double>(x[r * channels + c]) - static_cast<double>(y[r * channels + c]);
      sum += d * d;
    }
    total += static_cast<double>(weight[r]) * weight[r] * sum;
  }
  return total;
}

}  // namespace

void squared_error(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                   int64_t channels, const Tensor& result) {
  dispatch_floating(x.dtype(), "squared_error", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>();
    const T* w = weight.defined() ? weight.data<T>() : nullptr;
    const int64_t width = w ? channels : 1;
    const int64_t rows = width == 0 ? 0 : x.numel() / width,
                  step = grain(std::max<int64_t>(width, 1));
    std::vector<double> parts(static_cast<size_t>((rows + step - 1) / step), 0.0);
    parallel_for(rows, step, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * width;
      parts[static_cast<size_t>(begin / step)] =
          w ? weighted_sum(xs + at, ys + at, w + begin, end - begin, width)
            : sum_of_squares(xs + at, ys + at, end - begin);
    });
    double total = 0;
    for (const double part : parts) total += part;
    *result.data<T>() = static_cast<T>(total);
  });
}

void squared_error_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& weight,
                            int64_t channels, double factor, const Tensor& dy, const Tensor& dx) {
  dispatch_floating(x.dtype(), "squared_error", [&]<class T>() {
    const T *xs = x.data<T>(), *ys = y.data<T>();
    const T* w = weight.defined() ? weight.data<T>() : nullptr;
    T* out = dx.data<T>();
    const T scale = static_cast<T>(factor * static_cast<double>(*dy.data<T>()));
    const int64_t width = w ? channels : 1;
    const int64_t rows = width == 0 ? 0 : x.numel() / width;
    parallel_for(rows, grain(std::max<int64_t>(width, 1)), [&](int64_t begin, int64_t end) {
      if (!w) {
        for (int64_t i = begin; i < end; ++i) out[i] = scale * (xs[i] - ys[i]);
        return;
      }
      for (int64_t r = begin; r < end; ++r) {
        const T row = scale * w[r] * w[r];
        for (int64_t i = r * width; i < (r + 1) * width; ++i) out[i] = row * (xs[i] - ys[i]);
      }
    });
  });
}

}  // namespace cytograd::kernels
