#include "kernels/optimizer.h"

#include <cmath>
#include <vector>

#include "core/isa.h"
#include "cpu/simd/adam_table.h"
#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

constexpr int64_t kGrain = 1 << 15;

template <class T>
void sgd_one(const ParameterUpdate& u, const SgdStep& step) {
  T* w = u.weight.data<T>();
  const T* g = u.grad.data<T>();
  T* b = u.first.defined() ? u.first.data<T>() : nullptr;
  const T lr = static_cast<T>(step.lr * u.lr_scale), decay = static_cast<T>(u.weight_decay);
  const T momentum = static_cast<T>(step.momentum);
  const T keep = u.steps == 1 ? T{0} : momentum;
  // The direction is ahead g' + behind buffer in every variant.
  const T ahead = step.nesterov ? T{1} : T{0}, behind = step.nesterov ? momentum : T{1};
  parallel_for(u.weight.numel(), kGrain, [=](int64_t begin, int64_t end) {
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
}

template <class T>
auto adam_kernel() {
  const simd::AdamTable& table = CYTOGRAD_OF_ISA(simd::adam);
  if constexpr (sizeof(T) == 4)
    return table.f32;
  else
    return table.f64;
}

template <class T>
void adam_one(const ParameterUpdate& u, const AdamStep& step) {
  const auto t = static_cast<double>(u.steps);
  const double lr = step.lr * u.lr_scale;
  const auto number = [](double x) { return static_cast<T>(x); };
  const simd::AdamNumbers<T> numbers{
      .in_gradient = number(step.decoupled ? 0.0 : u.weight_decay),
      .shrink = number(step.decoupled ? 1 - lr * u.weight_decay : 1.0),
      .toward1 = number(1 - step.beta1),
      .toward2 = number(1 - step.beta2),
      .keep2 = number(step.beta2),
      .size = number(lr / (1 - std::pow(step.beta1, t))),
      .root = number(1 / std::sqrt(1 - std::pow(step.beta2, t))),
      .eps = number(step.eps)};
  T* w = u.weight.data<T>();
  const T* g = u.grad.data<T>();
  T *m = u.first.data<T>(), *v = u.second.data<T>();
  const auto kernel = adam_kernel<T>();
  parallel_for(u.weight.numel(), kGrain, [&](int64_t begin, int64_t end) {
    kernel(numbers, end - begin, g + begin, w + begin, m + begin, v + begin);
  });
}

double sum_of_squares(const Tensor& x) {
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

void scale(const Tensor& x, double factor) {
  dispatch_floating(x.dtype(), "scale", [&]<class T>() {
    T* values = x.data<T>();
    const T by = static_cast<T>(factor);
    parallel_for(x.numel(), kGrain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) values[i] *= by;
    });
  });
}

}  // namespace

void sgd_step(CpuContext, const ParameterUpdates& updates, const SgdStep& step,
              const StepControl&) {
  for (const ParameterUpdate& u : updates)
    dispatch_floating(u.weight.dtype(), "sgd", [&]<class T>() { sgd_one<T>(u, step); });
}

void adam_step(CpuContext, const ParameterUpdates& updates, const AdamStep& step,
               const StepControl&) {
  for (const ParameterUpdate& u : updates)
    dispatch_floating(u.weight.dtype(), "adam", [&]<class T>() { adam_one<T>(u, step); });
}

void ema_step(CpuContext, const Tensors& averages, const Tensors& weights, double decay) {
  for (size_t i = 0; i < averages.size(); ++i)
    dispatch_floating(averages[i].dtype(), "ema", [&]<class T>() {
      T* a = averages[i].data<T>();
      const T* w = weights[i].data<T>();
      const T toward = static_cast<T>(1 - decay);
      parallel_for(averages[i].numel(), kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) a[k] += toward * (w[k] - a[k]);
      });
    });
}

void clip_by_norm(CpuContext, const Tensors& grads, double max_norm, const Tensor& norm) {
  double squares = 0;
  for (const Tensor& grad : grads) squares += sum_of_squares(grad);
  const double length = std::sqrt(squares), factor = max_norm / (length + 1e-6);
  *norm.data<double>() = length;
  if (!std::isfinite(length) || factor >= 1) return;
  for (const Tensor& grad : grads) scale(grad, factor);
}

}  // namespace cytograd::kernels
