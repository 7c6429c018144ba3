#include "kernels/batch_norm.h"

#include <cmath>
#include <vector>

#include "cpu/channel_norm.h"
#include "kernels/row_stride.h"

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

template <class T>
simd::Rows<T> rows_of(const Tensor& x) {
  if (!x.defined()) return {nullptr, 0};
  return {x.data<std::remove_const_t<T>>(), row_stride(x)};
}

// y = (x - center) scale + shift with scale = weight rstd.
template <class T>
struct Affine {
  const T* center;
  std::vector<T> scale, shift;
  explicit Affine(const BatchNormVectors& v)
      : center(v.mean.data<T>()), scale(static_cast<size_t>(v.mean.numel())), shift(scale) {
    const T *w = data_or_null<T>(v.weight), *b = data_or_null<T>(v.bias), *r = v.rstd.data<T>();
    for (size_t c = 0; c < scale.size(); ++c) {
      scale[c] = w ? w[c] * r[c] : r[c];
      if (b) shift[c] = b[c];
    }
  }
};

template <class T>
void update(const Tensor& running, const double* batch, double momentum, double factor) {
  if (!running.defined()) return;
  T* r = running.data<T>();
  for (int64_t c = 0; c < running.numel(); ++c)
    r[c] =
        static_cast<T>((1 - momentum) * static_cast<double>(r[c]) + momentum * factor * batch[c]);
}

// Factors of dx = of_dy g + of_x (x - mean) + constant; in evaluation of_dy alone.
template <class T>
struct Factors {
  std::vector<T> of_dy, of_x, constant;
  Factors(const BatchNormBackward& b, const std::vector<double>& sum_dy,
          const std::vector<double>& sum_dy_x, double rows)
      : of_dy(sum_dy.size()), of_x(sum_dy.size()), constant(sum_dy.size()) {
    const T *w = data_or_null<T>(b.v.weight), *r = b.v.rstd.data<T>();
    for (size_t c = 0; c < sum_dy.size(); ++c) {
      const auto rs = static_cast<double>(r[c]);
      const double scale = (w ? static_cast<double>(w[c]) : 1.0) * rs;
      of_dy[c] = static_cast<T>(scale);
      of_x[c] = static_cast<T>(-scale * rs * rs * sum_dy_x[c] / rows);
      constant[c] = static_cast<T>(-scale * sum_dy[c] / rows);
    }
  }
};

template <class T>
void backward(const BatchNormBackward& b) {
  const cpu::ChannelSizes s = sizes_of(b.x);
  const auto channels = static_cast<size_t>(s.channels);
  const bool from_output = b.relu && b.y.defined(), from_input = b.relu && !from_output;
  const Affine<T> affine(b.v);
  std::vector<double> sum_dy(channels), sum_dy_x(channels);
  if (b.training || b.dweight.defined() || b.dbias.defined() || from_output)
    cpu::channel_products<T>(s, {.rows = s.rows,
                                 .channels = s.channels,
                                 .x = rows_of<const T>(b.x),
                                 .dy = rows_of<const T>(b.dy),
                                 .y = rows_of<const T>(b.y),
                                 .center = affine.center,
                                 .scale = affine.scale.data(),
                                 .shift = affine.shift.data(),
                                 .mask = from_output  ? simd::Mask::from_output
                                         : from_input ? simd::Mask::from_input
                                                      : simd::Mask::none,
                                 .masked = rows_of<T>(b.masked),
                                 .sum_dy = sum_dy.data(),
                                 .sum_dy_x = sum_dy_x.data()});
  for (size_t c = 0; c < channels; ++c) {
    if (b.dweight.defined())
      b.dweight.data<T>()[c] =
          static_cast<T>(sum_dy_x[c] * static_cast<double>(b.v.rstd.data<T>()[c]));
    if (b.dbias.defined()) b.dbias.data<T>()[c] = static_cast<T>(sum_dy[c]);
  }
  if (!b.dx.defined()) return;
  const Factors<T> f(b, sum_dy, sum_dy_x, static_cast<double>(s.rows));
  cpu::channel_gradient<T>(s, {.rows = s.rows,
                               .channels = s.channels,
                               .x = rows_of<const T>(b.x),
                               .dy = rows_of<const T>(from_output ? b.masked : b.dy),
                               .center = affine.center,
                               .scale = affine.scale.data(),
                               .shift = affine.shift.data(),
                               .of_dy = f.of_dy.data(),
                               .of_x = b.training ? f.of_x.data() : nullptr,
                               .constant = f.constant.data(),
                               .masked = from_input,
                               .accumulate = b.accumulate,
                               .dx = rows_of<T>(b.dx)});
}

}  // namespace

void channel_moments(CpuContext, const Tensor& x, const Tensor& mean, const Tensor& variance) {
  dispatch_floating(x.dtype(), "batch_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    double* deviations = variance.data<double>();
    cpu::channel_moments<T>(s, rows_of<const T>(x), mean.data<double>(), deviations);
    for (int64_t c = 0; c < s.channels; ++c) deviations[c] /= static_cast<double>(s.rows);
  });
}

void batch_norm_from_moments(CpuContext, int64_t count, const Tensor& mean, const Tensor& variance,
                             const BatchStatistics& to) {
  const auto rows = static_cast<double>(count);
  const double *mu = mean.data<double>(), *var = variance.data<double>();
  dispatch_floating(to.mean.dtype(), "batch_norm", [&]<class T>() {
    for (int64_t c = 0; c < mean.numel(); ++c) {
      to.mean.data<T>()[c] = static_cast<T>(mu[c]);
      to.rstd.data<T>()[c] = static_cast<T>(1 / std::sqrt(var[c] + to.eps));
    }
    update<T>(to.running_mean, mu, to.momentum, 1);
    update<T>(to.running_var, var, to.momentum, rows / (rows - 1));
  });
}

void batch_norm_statistics(CpuContext ctx, const Tensor& x, const BatchStatistics& to) {
  const Tensor mean = Tensor::empty(to.mean.shape(), Dtype::float64),
               variance = Tensor::empty_like(mean);
  channel_moments(ctx, x, mean, variance);
  batch_norm_from_moments(ctx, sizes_of(x).rows, mean, variance, to);
}

void batch_norm_running(CpuContext, const Tensor& running_mean, const Tensor& running_var,
                        double eps, const Tensor& mean, const Tensor& rstd) {
  dispatch_floating(mean.dtype(), "batch_norm", [&]<class T>() {
    for (int64_t c = 0; c < mean.numel(); ++c) {
      mean.data<T>()[c] = running_mean.data<T>()[c];
      rstd.data<T>()[c] =
          static_cast<T>(1 / std::sqrt(static_cast<double>(running_var.data<T>()[c]) + eps));
    }
  });
}

void batch_norm_apply(CpuContext, const Tensor& x, const BatchNormVectors& v,
                      const Tensor& residual, bool relu, const Tensor& y) {
  dispatch_floating(x.dtype(), "batch_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    const Affine<T> affine(v);
    cpu::channel_forward<T>(s, {.rows = s.rows,
                                .channels = s.channels,
                                .x = rows_of<const T>(x),
                                .residual = rows_of<const T>(residual),
                                .center = affine.center,
                                .scale = affine.scale.data(),
                                .shift = affine.shift.data(),
                                .relu = relu,
                                .y = rows_of<T>(y)});
  });
}

void batch_norm_backward(CpuContext, const BatchNormBackward& b) {
  dispatch_floating(b.x.dtype(), "batch_norm", [&]<class T>() { backward<T>(b); });
}

}  // namespace cytograd::kernels
