#include "kernels/optimizer.h"

#include <cmath>
#include <vector>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t kGrain = 1 << 15;

}  // namespace

void sgd_step(CpuContext, const Tensor& weight, const Tensor& grad, const Tensor& buffer,
              const SgdStep& step) {
  dispatch_floating(weight.dtype(), "sgd", [&]<class T>() {
    T* w = weight.data<T>();
    const T* g = grad.data<T>();
    T* b = buffer.defined() ? buffer.data<T>() : nullptr;
    const T lr = static_cast<T>(step.lr), decay = static_cast<T>(step.weight_decay);
    const T momentum = static_cast<T>(step.momentum);
    const T keep = step.first ? T{0} : momentum;
    // The direction is ahead g' + behind buffer in every variant.
    const T ahead = step.nesterov ? T{1} : T{0}, behind = step.nesterov ? momentum : T{1};
    parallel_for(weight.numel(), kGrain, [=](int64_t begin, int64_t end) {
      if (!b) {
        for (int64_t i = begin; i < end; ++i) w[i] -= lr * (g[i] + decay * w[i]);
        return;
      }
      for (int64_t i = begin; i < end; ++i) {
        const T slope = g[i] + decay * w[i];
        const T speed = keep * b[i] + slope;
        b[i] = speed;
        w[i] -= lr * (ahead * slope + behind * speed);
      }
    });
  });
}

void adam_step(CpuContext, const Tensor& weight, const Tensor& grad, const Tensor& m_tensor,
               const Tensor& v_tensor, const AdamStep& step) {
  dispatch_floating(weight.dtype(), "adam", [&]<class T>() {
    T* w = weight.data<T>();
    const T* g = grad.data<T>();
    T* m = m_tensor.data<T>();
    T* v = v_tensor.data<T>();
    const T in_gradient = static_cast<T>(step.decoupled ? 0.0 : step.weight_decay);
    const T shrink = static_cast<T>(step.decoupled ? 1 - step.lr * step.weight_decay : 1.0);
    const T toward1 = static_cast<T>(1 - step.beta1), toward2 = static_cast<T>(1 - step.beta2);
    const T keep2 = static_cast<T>(step.beta2), eps = static_cast<T>(step.eps);
    const T size = static_cast<T>(step.lr / step.correction1);
    const T root = static_cast<T>(1 / std::sqrt(step.correction2));
    parallel_for(weight.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T slope = g[i] + in_gradient * w[i];
        const T mean = m[i] + toward1 * (slope - m[i]);
        const T square = keep2 * v[i] + toward2 * (slope * slope);
        m[i] = mean;
        v[i] = square;
        w[i] = shrink * w[i] - size * mean / (std::sqrt(square) * root + eps);
      }
    });
  });
}

void ema_step(CpuContext, const Tensor& average, const Tensor& weight, double decay) {
  dispatch_floating(average.dtype(), "ema", [&]<class T>() {
    T* a = average.data<T>();
    const T* w = weight.data<T>();
    const T toward = static_cast<T>(1 - decay);
    parallel_for(average.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) a[i] += toward * (w[i] - a[i]);
    });
  });
}

double sum_of_squares(CpuContext, const Tensor& x) {
  std::vector<double> parts(static_cast<size_t>((x.numel() + kGrain - 1) / kGrain), 0.0);
  dispatch_floating(x.dtype(), "sum_of_squares", [&]<class T>() {
    const T* values = x.data<T>();
    parallel_for(x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      // Four chains of additions: one would wait for each addition to finish.
      double sums[4] = {};
      int64_t i = begin;
      for (; i + 4 <= end; i += 4)
        for (int k = 0; k < 4; ++k) {
          const double value = values[i + k];
          sums[k] += value * value;
        }
      for (; i < end; ++i) sums[0] += static_cast<double>(values[i]) * values[i];
      parts[static_cast<size_t>(begin / kGrain)] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    });
  });
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

void scale(CpuContext, const Tensor& x, double factor) {
  dispatch_floating(x.dtype(), "scale", [&]<class T>() {
    T* values = x.data<T>();
    const T by = static_cast<T>(factor);
    parallel_for(x.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[i] *= by;
    });
  });
}

}  // namespace cytograd::kernels
