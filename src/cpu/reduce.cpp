#include "kernels/reduce.h"

#include <vector>

#include "cpu/rows.h"

namespace cytograd::kernels {
namespace {

// sum[i] += x[r, i] for rows of `inner` elements, columns [from, to).
template <class T>
void add_rows(const T* x, int64_t rows, int64_t inner, int64_t from, int64_t to, double* sum) {
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = from; i < to; ++i) sum[i - from] += static_cast<double>(x[r * inner + i]);
}

}  // namespace

// The work is cut into (outer, piece of n, block of columns); the pieces of one sum are then added
// in order.
void sum(CpuContext, const Tensor& x, Extent e, double divisor, const Tensor& y) {
  constexpr int64_t max_block = 1024;
  const int64_t block = std::min(e.inner, max_block);
  if (e.outer * e.inner == 0) return;
  const int64_t rows = std::max<int64_t>(1, cpu::grain / block);
  const int64_t pieces = std::max<int64_t>(1, (e.n + rows - 1) / rows);
  const int64_t blocks = (e.inner + block - 1) / block;
  std::vector<double> partial(static_cast<size_t>(e.outer * pieces * e.inner));
  dispatch_floating(x.dtype(), "sum", [&]<class T>() {
    const T* from = x.data<T>();
    const int64_t work = std::max<int64_t>(1, std::min(rows, e.n) * block);
    parallel_for(e.outer * pieces * blocks, std::max<int64_t>(1, cpu::grain / work),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t task = begin; task < end; ++task) {
                     const int64_t b = task % blocks, piece = task / blocks % pieces,
                                   o = task / blocks / pieces;
                     const int64_t first = piece * rows, count = std::min(rows, e.n - first);
                     const T* at = from + (o * e.n + first) * e.inner;
                     double* out = partial.data() + (o * pieces + piece) * e.inner;
                     if (e.inner == 1)
                       *out = cpu::sum_terms(count, [at](int64_t i) { return at[i]; });
                     else
                       add_rows(at, count, e.inner, b * block, std::min(e.inner, (b + 1) * block),
                                out + b * block);
                   }
                 });
    T* to = y.data<T>();
    parallel_for(e.outer * e.inner, cpu::grain, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) {
        const int64_t o = k / e.inner, i = k % e.inner;
        double total = 0;
        for (int64_t piece = 0; piece < pieces; ++piece)
          total += partial[static_cast<size_t>((o * pieces + piece) * e.inner + i)];
        to[k] = static_cast<T>(total / divisor);
      }
    });
  });
}

void extreme(CpuContext, const Tensor& x, int64_t n, int sign, const Tensor& value,
             const Tensor& index) {
  dispatch_floating(x.dtype(), "max", [&]<class T>() {
    const T* from = x.data<T>();
    T* best = value.data<T>();
    int64_t* where = index.data<int64_t>();
    const T s = static_cast<T>(sign);
    cpu::for_rows(value.numel(), n, [=](int64_t row) {
      const T* r = from + row * n;
      int64_t at = 0;
      for (int64_t i = 1; i < n && !std::isnan(r[at]); ++i)
        if (s * r[i] > s * r[at] || std::isnan(r[i])) at = i;
      best[row] = r[at];
      where[row] = at;
    });
  });
}

void extreme_backward(CpuContext, const Tensor& index, const Tensor& dy, int64_t n,
                      const Tensor& dx) {
  dispatch_floating(dy.dtype(), "max", [&]<class T>() {
    const T* g = dy.data<T>();
    const int64_t* where = index.data<int64_t>();
    T* to = dx.data<T>();
    cpu::for_rows(dy.numel(), n, [=](int64_t row) {
      std::fill(to + row * n, to + (row + 1) * n, T(0));
      to[row * n + where[row]] = g[row];
    });
  });
}

void logsumexp(CpuContext, const Tensor& x, int64_t n, const Tensor& y) {
  dispatch_floating(x.dtype(), "logsumexp", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    if (n == 0) return void(std::fill_n(to, y.numel(), -std::numeric_limits<T>::infinity()));
    const auto kernel = cpu::row_kernels<T>().logsumexp;
    cpu::for_row_blocks(y.numel(), n, [=](int64_t begin, int64_t end) {
      std::vector<double> sums(static_cast<size_t>(end - begin));
      kernel(from + begin * n, end - begin, n, sums.data());
      for (int64_t row = begin; row < end; ++row)
        to[row] = static_cast<T>(sums[static_cast<size_t>(row - begin)]);
    });
  });
}

void logsumexp_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                        const Tensor& dx) {
  dispatch_floating(x.dtype(), "logsumexp", [&]<class T>() {
    const T *from = x.data<T>(), *lse = y.data<T>(), *g = dy.data<T>();
    T* to = dx.data<T>();
    cpu::for_rows(y.numel(), n, [=](int64_t row) {
      const T shift = std::isinf(lse[row]) && lse[row] < 0 ? T(0) : lse[row], scale = g[row];
      for (int64_t i = row * n; i < (row + 1) * n; ++i) to[i] = scale * math::exp(from[i] - shift);
    });
  });
}

void norm(CpuContext, const Tensor& x, int64_t n, const Tensor& y) {
  dispatch_floating(x.dtype(), "norm", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    cpu::for_rows(y.numel(), n, [=](int64_t row) {
      const T* r = from + row * n;
      to[row] = static_cast<T>(std::sqrt(cpu::sum_terms(n, [r](int64_t i) {
        const auto v = static_cast<double>(r[i]);
        return v * v;
      })));
    });
  });
}

void norm_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                   const Tensor& dx) {
  dispatch_floating(x.dtype(), "norm", [&]<class T>() {
    const T *from = x.data<T>(), *length = y.data<T>(), *g = dy.data<T>();
    T* to = dx.data<T>();
    cpu::for_rows(y.numel(), n, [=](int64_t row) {
      const T scale = length[row] == 0 ? T(0) : g[row] / length[row];
      for (int64_t i = row * n; i < (row + 1) * n; ++i) to[i] = scale * from[i];
    });
  });
}

void var(CpuContext, const Tensor& x, int64_t n, int64_t correction, const Tensor& y,
         const Tensor& mean) {
  dispatch_floating(x.dtype(), "var", [&]<class T>() {
    const T* from = x.data<T>();
    T *to = y.data<T>(), *average = mean.data<T>();
    const double divisor = static_cast<double>(std::max<int64_t>(0, n - correction));
    cpu::for_rows(y.numel(), n, [=](int64_t row) {
      const T* r = from + row * n;
      const double m = cpu::sum_terms(n, [r](int64_t i) { return r[i]; }) / static_cast<double>(n);
      const double squares = cpu::sum_terms(n, [r, m](int64_t i) {
        const double d = static_cast<double>(r[i]) - m;
        return d * d;
      });
      // With no degree of freedom the variance is not defined, even where the sum is not 0.
      to[row] =
          divisor > 0 ? static_cast<T>(squares / divisor) : std::numeric_limits<T>::quiet_NaN();
      average[row] = static_cast<T>(m);
    });
  });
}

void var_backward(CpuContext, const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t n,
                  int64_t correction, const Tensor& dx) {
  dispatch_floating(x.dtype(), "var", [&]<class T>() {
    const T *from = x.data<T>(), *average = mean.data<T>(), *g = dy.data<T>();
    T* to = dx.data<T>();
    const double divisor = static_cast<double>(std::max<int64_t>(0, n - correction));
    cpu::for_rows(mean.numel(), n, [=](int64_t row) {
      const T scale = static_cast<T>(2 * static_cast<double>(g[row]) / divisor), m = average[row];
      for (int64_t i = row * n; i < (row + 1) * n; ++i) to[i] = scale * (from[i] - m);
    });
  });
}

}  // namespace cytograd::kernels
