#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

#include "cpu/channel_norm.h"

namespace cytograd::kernels {
namespace {

cpu::ChannelSizes sizes_of(const Tensor& x) {
  const int64_t channels = x.shape().back();
  return {1, channels == 0 ? 0 : x.numel() / channels, channels};
}

template <class T>
const T* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<T>() : nullptr;
}

// scale = weight rstd, then y = (x - mean) scale + bias.
template <class T>
void apply(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean,
           const Tensor& rstd, const Tensor& y) {
  const cpu::ChannelSizes s = sizes_of(x);
  const T *w = data_or_null<T>(weight), *b = data_or_null<T>(bias), *r = rstd.data<T>();
  std::vector<T> scale(static_cast<size_t>(s.channels)), shift(scale);
  for (int64_t c = 0; c < s.channels; ++c) {
    scale[c] = w ? w[c] * r[c] : r[c];
    if (b) shift[c] = b[c];
  }
  cpu::channel_affine(s, x.data<T>(), mean.data<T>(), scale.data(), shift.data(), y.data<T>());
}

template <class T>
void update(const Tensor& running, const std::vector<double>& batch, double momentum,
            double factor) {
  if (!running.defined()) return;
  T* r = running.data<T>();
  for (size_t c = 0; c < batch.size(); ++c)
    r[c] =
        static_cast<T>((1 - momentum) * static_cast<double>(r[c]) + momentum * factor * batch[c]);
}

}  // namespace

void batch_norm_training(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& bias,
                         const Tensor& running_mean, const Tensor& running_var, double momentum,
                         double eps, const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  dispatch_floating(x.dtype(), "batch_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    const auto rows = static_cast<double>(s.rows);
    std::vector<double> mu(static_cast<size_t>(s.channels)), var(mu);
    cpu::channel_moments(s, x.data<T>(), mu.data(), var.data());
    for (int64_t c = 0; c < s.channels; ++c) {
      var[c] /= rows;
      mean.data<T>()[c] = static_cast<T>(mu[c]);
      rstd.data<T>()[c] = static_cast<T>(1 / std::sqrt(var[c] + eps));
    }
    update<T>(running_mean, mu, momentum, 1);
    update<T>(running_var, var, momentum, rows / (rows - 1));
    apply<T>(x, weight, bias, mean, rstd, y);
  });
}

void batch_norm_evaluation(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& bias,
                           const Tensor& running_mean, const Tensor& running_var, double eps,
                           const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  dispatch_floating(x.dtype(), "batch_norm", [&]<class T>() {
    for (int64_t c = 0; c < mean.numel(); ++c) {
      mean.data<T>()[c] = running_mean.data<T>()[c];
      rstd.data<T>()[c] =
          static_cast<T>(1 / std::sqrt(static_cast<double>(running_var.data<T>()[c]) + eps));
    }
    apply<T>(x, weight, bias, mean, rstd, y);
  });
}

void batch_norm_backward(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dy, bool training, const Tensor& dx,
                         const Tensor& dweight, const Tensor& dbias) {
  dispatch_floating(x.dtype(), "batch_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    const auto channels = static_cast<size_t>(s.channels);
    const T *w = data_or_null<T>(weight), *r = rstd.data<T>();
    std::vector<double> sum_dy(channels), sum_dy_x(channels);
    if (training || dweight.defined() || dbias.defined())
      cpu::channel_products(s, x.data<T>(), mean.data<T>(), dy.data<T>(), sum_dy.data(),
                            sum_dy_x.data());
    for (size_t c = 0; c < channels; ++c) {
      if (dweight.defined())
        dweight.data<T>()[c] = static_cast<T>(sum_dy_x[c] * static_cast<double>(r[c]));
      if (dbias.defined()) dbias.data<T>()[c] = static_cast<T>(sum_dy[c]);
    }
    if (!dx.defined()) return;
    std::vector<T> of_dy(channels), of_x(channels), constant(channels);
    for (size_t c = 0; c < channels; ++c) {
      const auto rs = static_cast<double>(r[c]);
      const double scale = (w ? static_cast<double>(w[c]) : 1.0) * rs;
      const auto rows = static_cast<double>(s.rows);
      of_dy[c] = static_cast<T>(scale);
      of_x[c] = static_cast<T>(-scale * rs * rs * sum_dy_x[c] / rows);
      constant[c] = static_cast<T>(-scale * sum_dy[c] / rows);
    }
    if (training)
      cpu::channel_gradient(s, x.data<T>(), mean.data<T>(), dy.data<T>(), of_dy.data(), of_x.data(),
                            constant.data(), dx.data<T>());
    else
      cpu::channel_scale(s, dy.data<T>(), of_dy.data(), dx.data<T>());
  });
}

}  // namespace cytograd::kernels
