#include "kernels/cross_entropy.h"

#include <vector>

#include "cpu/rows.h"
#include "kernels/reduce.h"

namespace cytograd::kernels {
namespace {

// The loss of a row is -sum_c q[c] log p[c] with q[c] = even * w[c], plus `own` * w[label] at the
// label.
template <class T>
struct Coefficients {
  const T* weight;
  int64_t classes;
  double own, even, weight_sum;
  explicit Coefficients(const CrossEntropyInput& in)
      : weight(in.class_weight.defined() ? in.class_weight.data<T>() : nullptr),
        classes(in.logits.size(1)),
        own(1 - in.label_smoothing),
        even(in.label_smoothing / static_cast<double>(classes)),
        weight_sum(weight ? cpu::sum_terms(classes, [this](int64_t c) { return weight[c]; })
                          : static_cast<double>(classes)) {}
  double of(int64_t c) const { return weight ? static_cast<double>(weight[c]) : 1.0; }
};

}  // namespace

void cross_entropy(CpuContext, const CrossEntropyInput& in, const Tensor& losses,
                   const Tensor& lse) {
  dispatch_floating(in.logits.dtype(), "cross_entropy", [&]<class T>() {
    const Coefficients<T> q(in);
    const T* logits = in.logits.data<T>();
    const int64_t* labels = in.labels.data<int64_t>();
    T *loss = losses.data<T>(), *normaliser = lse.data<T>();
    const auto logsumexp = cpu::row_kernels<T>().logsumexp;
    const auto row_loss = [=](int64_t n, double total) {
      const T* z = logits + n * q.classes;
      double value = q.own * q.of(labels[n]) * (total - static_cast<double>(z[labels[n]]));
      if (q.even > 0)
        value += q.even * cpu::sum_terms(q.classes, [=](int64_t c) {
                   return q.of(c) * (total - static_cast<double>(z[c]));
                 });
      loss[n] = static_cast<T>(value);
      normaliser[n] = static_cast<T>(total);
    };
    cpu::for_row_blocks(in.logits.size(0), q.classes, [=](int64_t begin, int64_t end) {
      std::vector<double> totals(static_cast<size_t>(end - begin));
      logsumexp(logits + begin * q.classes, end - begin, q.classes, totals.data());
      for (int64_t n = begin; n < end; ++n) row_loss(n, totals[static_cast<size_t>(n - begin)]);
    });
  });
}

void cross_entropy_weight(CpuContext, const CrossEntropyInput& in, const Tensor& total) {
  const int64_t* labels = in.labels.data<int64_t>();
  double sum = 0;
  if (in.class_weight.defined())
    dispatch_floating(in.logits.dtype(), "cross_entropy", [&]<class T>() {
      const T* weight = in.class_weight.data<T>();
      for (int64_t n = 0; n < in.labels.numel(); ++n) sum += static_cast<double>(weight[labels[n]]);
    });
  else
    sum = static_cast<double>(in.labels.numel());
  *total.data<double>() = sum;
}

void cross_entropy_reduce(CpuContext ctx, const Tensor& losses, const Tensor& total,
                          const Tensor& y) {
  sum(ctx, losses, {1, losses.numel(), 1}, total.defined() ? *total.data<double>() : 1, y);
}

// d loss / d z[c] = p[c] sum(q) - q[c].
void cross_entropy_backward(CpuContext, const CrossEntropyInput& in, const Tensor& lse,
                            const Tensor& dy, const Tensor& total_weight, const Tensor& grad) {
  dispatch_floating(in.logits.dtype(), "cross_entropy", [&]<class T>() {
    const Coefficients<T> q(in);
    const T *logits = in.logits.data<T>(), *normaliser = lse.data<T>(), *g = dy.data<T>();
    const int64_t* labels = in.labels.data<int64_t>();
    const bool per_sample = dy.ndim() == 1;
    const double scale = total_weight.defined() ? 1 / *total_weight.data<double>() : 1;
    T* out = grad.data<T>();
    const auto exp_scaled = cpu::row_kernels<T>().exp_scaled;
    const auto scale_of = [=](int64_t n) {
      return scale * static_cast<double>(g[per_sample ? n : 0]);
    };
    const auto own_of = [=](int64_t n) { return q.own * q.of(labels[n]); };
    cpu::for_row_blocks(in.logits.size(0), q.classes, [=](int64_t begin, int64_t end) {
      std::vector<T> totals(static_cast<size_t>(end - begin));
      for (int64_t n = begin; n < end; ++n)
        totals[static_cast<size_t>(n - begin)] =
            static_cast<T>(scale_of(n) * (own_of(n) + q.even * q.weight_sum));
      exp_scaled(logits + begin * q.classes, end - begin, q.classes, normaliser + begin,
                 totals.data(), out + begin * q.classes);
      for (int64_t n = begin; n < end; ++n) {
        T* d = out + n * q.classes;
        if (q.even > 0)
          for (int64_t c = 0; c < q.classes; ++c)
            d[c] -= static_cast<T>(scale_of(n) * q.even * q.of(c));
        d[labels[n]] -= static_cast<T>(scale_of(n) * own_of(n));
      }
    });
  });
}

}  // namespace cytograd::kernels
