#include "kernels/group_norm.h"

#include <cmath>
#include <vector>

#include "cpu/channel_norm.h"

namespace cytograd::kernels {
namespace {

cpu::ChannelSizes sizes_of(const Tensor& x) {
  const int64_t batch = x.size(0), channels = x.size(-1);
  return {batch, batch * channels == 0 ? 0 : x.numel() / batch / channels, channels};
}

template <class T>
double value_or(const Tensor& vector, int64_t i, double absent) {
  return vector.defined() ? static_cast<double>(vector.data<T>()[i]) : absent;
}

// Joins the moments of `width` channels with `rows` values each.
struct Moments {
  double mean = 0, variance = 0;
  Moments(const double* means, const double* deviations, int64_t width, double rows) {
    for (int64_t c = 0; c < width; ++c) mean += means[c];
    mean /= static_cast<double>(width);
    for (int64_t c = 0; c < width; ++c)
      variance += deviations[c] + rows * (means[c] - mean) * (means[c] - mean);
    variance /= rows * static_cast<double>(width);
  }
};

// [N, groups] as [N, C]: the value of each channel's group.
template <class T>
std::vector<T> per_channel(const Tensor& of_group, int64_t channels) {
  const int64_t groups = of_group.size(1), width = channels / groups;
  std::vector<T> out(static_cast<size_t>(of_group.size(0) * channels));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = of_group.data<T>()[static_cast<int64_t>(i) / width];
  return out;
}

// Factors of dx = of_dy dy + of_x (x - mean) + constant, each [N, C].
template <class T>
struct Factors {
  std::vector<T> of_dy, of_x, constant;
  Factors(const cpu::ChannelSizes& s, const Tensor& weight, const Tensor& rstd,
          const std::vector<double>& sum_dy, const std::vector<double>& sum_dy_x) {
    const auto vectors = static_cast<size_t>(s.vectors());
    of_dy.resize(vectors), of_x.resize(vectors), constant.resize(vectors);
    const int64_t groups = rstd.size(1), width = s.channels / groups;
    const double count = static_cast<double>(s.rows * width);
    for (int64_t g = 0; g < s.batch * groups; ++g) {
      const auto r = static_cast<double>(rstd.data<T>()[g]);
      double dy = 0, dy_x = 0;
      for (int64_t i = g * width; i < (g + 1) * width; ++i) {
        const double w = value_or<T>(weight, i % s.channels, 1);
        of_dy[i] = static_cast<T>(w * r);
        dy += w * sum_dy[i];
        dy_x += w * sum_dy_x[i];
      }
      for (int64_t i = g * width; i < (g + 1) * width; ++i) {
        of_x[i] = static_cast<T>(-r * r * r * dy_x / count);
        constant[i] = static_cast<T>(-r * dy / count);
      }
    }
  }
};

}  // namespace

void group_norm(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  dispatch_floating(x.dtype(), "group_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    const auto vectors = static_cast<size_t>(s.vectors());
    std::vector<double> means(vectors), deviations(vectors);
    cpu::channel_moments<T>(s, {x.data<T>(), s.channels}, means.data(), deviations.data());
    const int64_t width = s.channels / mean.size(1);
    for (int64_t g = 0; g < mean.numel(); ++g) {
      const Moments m(means.data() + g * width, deviations.data() + g * width, width,
                      static_cast<double>(s.rows));
      mean.data<T>()[g] = static_cast<T>(m.mean);
      rstd.data<T>()[g] = static_cast<T>(1 / std::sqrt(m.variance + eps));
    }
    const std::vector<T> center = per_channel<T>(mean, s.channels);
    std::vector<T> scale = per_channel<T>(rstd, s.channels), shift(vectors);
    for (size_t i = 0; i < vectors; ++i) {
      const int64_t c = static_cast<int64_t>(i) % s.channels;
      scale[i] = static_cast<T>(static_cast<double>(scale[i]) * value_or<T>(weight, c, 1));
      shift[i] = static_cast<T>(value_or<T>(bias, c, 0));
    }
    cpu::channel_forward<T>(s, {.rows = s.rows,
                                .channels = s.channels,
                                .x = {x.data<T>(), s.channels},
                                .residual = {},
                                .center = center.data(),
                                .scale = scale.data(),
                                .shift = shift.data(),
                                .relu = false,
                                .y = {y.data<T>(), s.channels}});
  });
}

void group_norm_backward(CpuContext, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dy, const Tensor& dx,
                         const Tensor& dweight, const Tensor& dbias) {
  dispatch_floating(x.dtype(), "group_norm", [&]<class T>() {
    const cpu::ChannelSizes s = sizes_of(x);
    const auto vectors = static_cast<size_t>(s.vectors());
    const std::vector<T> center = per_channel<T>(mean, s.channels);
    const std::vector<T> r = per_channel<T>(rstd, s.channels);
    std::vector<double> sum_dy(vectors), sum_dy_x(vectors);
    cpu::channel_products<T>(s, {.rows = s.rows,
                                 .channels = s.channels,
                                 .x = {x.data<T>(), s.channels},
                                 .dy = {dy.data<T>(), s.channels},
                                 .y = {},
                                 .center = center.data(),
                                 .scale = nullptr,
                                 .shift = nullptr,
                                 .mask = simd::Mask::none,
                                 .masked = {},
                                 .sum_dy = sum_dy.data(),
                                 .sum_dy_x = sum_dy_x.data()});
    for (int64_t c = 0; c < s.channels && (dweight.defined() || dbias.defined()); ++c) {
      double dw = 0, db = 0;
      for (int64_t i = c; i < s.vectors(); i += s.channels) {
        dw += sum_dy_x[i] * static_cast<double>(r[i]);
        db += sum_dy[i];
      }
      if (dweight.defined()) dweight.data<T>()[c] = static_cast<T>(dw);
      if (dbias.defined()) dbias.data<T>()[c] = static_cast<T>(db);
    }
    if (!dx.defined()) return;
    const Factors<T> f(s, weight, rstd, sum_dy, sum_dy_x);
    cpu::channel_gradient<T>(s, {.rows = s.rows,
                                 .channels = s.channels,
                                 .x = {x.data<T>(), s.channels},
                                 .dy = {dy.data<T>(), s.channels},
                                 .center = center.data(),
                                 .scale = nullptr,
                                 .shift = nullptr,
                                 .of_dy = f.of_dy.data(),
                                 .of_x = f.of_x.data(),
                                 .constant = f.constant.data(),
                                 .masked = false,
                                 .accumulate = false,
                                 .dx = {dx.data<T>(), s.channels}});
  });
}

}  // namespace cytograd::kernels
