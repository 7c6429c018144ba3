#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/ops/batch_norm_conv2d.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

// On the device the joined operations take other ways than conv2d and batch_norm one after the
// other where products are rounded: near them then, the same bits otherwise.

using namespace cytograd;

namespace {

Tensor draw(const Shape& shape, const char* name, double low, double high, Dtype dtype) {
  Rng rng(4, name);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& v : values) v = static_cast<float>(rng.uniform(low, high));
  Tensor x = Tensor::from(values, shape).to(dtype).to(Device::cuda());
  x.set_requires_grad(true);
  return x;
}

struct Sizes {
  int64_t n, h, w, c_in, c_out, kernel, stride;
};

struct Setup {
  Tensor x, residual;
  Conv2dLayer conv;
  BatchNormLayer before, after;
  Setup(const Sizes& s, Dtype dtype)
      : x(draw({s.n, s.h, s.w, s.c_in}, "x", -1, 2, dtype)),
        conv{draw({s.c_out, s.kernel, s.kernel, s.c_in}, "filters", -1, 1, dtype),
             {},
             {.stride = s.stride, .padding = s.kernel / 2}},
        before(norm(s.c_in)),
        after(norm(s.c_out)) {
    residual = draw(conv2d(x.detach(), conv.weight.detach(), {}, conv.options).shape(), "residual",
                    -1, 1, dtype);
  }
  static BatchNormLayer norm(int64_t channels) {
    const auto vector = [&](const char* name, double low, double high) {
      return draw({channels}, name, low, high, Dtype::float32);
    };
    return {vector("weight", 0.5, 1.5),
            vector("bias", -0.5, 0.5),
            vector("mean", -1, 1).detach(),
            vector("var", 0.5, 2).detach(),
            {.training = true, .relu = true}};
  }
  static Tensor apply(const BatchNormLayer& n, const Tensor& t, const Tensor& added = {}) {
    return batch_norm(t, n.weight, n.bias, n.running_mean, n.running_var, n.options, added);
  }
  Tensors step(const Tensor& y) const {
    y.backward(draw(y.shape(), "dy", -1, 1, y.dtype()).detach());
    Tensors out{y};
    for (const Tensor& t :
         {x, residual, conv.weight, before.weight, before.bias, after.weight, after.bias})
      out.push_back(t.grad().defined() ? t.grad() : Tensor::zeros({1}));
    for (const Tensor& t :
         {before.running_mean, before.running_var, after.running_mean, after.running_var})
      out.push_back(t);
    for (Tensor& t : out) t = t.detach().to(Device::cpu()).to(Dtype::float32);
    return out;
  }
};

void check_close(const Tensors& got, const Tensors& want, float share) {
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const std::vector<float> a = got[i].to_vector<float>(), b = want[i].to_vector<float>();
    REQUIRE(a.size() == b.size());
    double error = 0, size = 0;
    for (size_t j = 0; j < a.size(); ++j) {
      error += std::pow(double{a[j]} - double{b[j]}, 2);
      size += std::pow(double{b[j]}, 2);
    }
    CAPTURE(i);
    CHECK(std::sqrt(error) <= double{share} * std::sqrt(size));
  }
}

std::vector<std::vector<float>> bits(const Tensors& tensors) {
  std::vector<std::vector<float>> out;
  for (const Tensor& t : tensors) out.push_back(t.to_vector<float>());
  return out;
}

enum class Precision { exact, tf32, bfloat16 };

template <class Joined, class Apart>
void check_joined(const Sizes& s, Joined joined, Apart apart) {
  for (const Precision p : {Precision::exact, Precision::tf32, Precision::bfloat16}) {
    CAPTURE(static_cast<int>(p));
    set_tf32(p == Precision::tf32);
    const Dtype dtype = p == Precision::bfloat16 ? Dtype::bfloat16 : Dtype::float32;
    const auto run = [&](auto f) {
      const Setup setup(s, dtype);
      return setup.step(f(setup));
    };
    const Tensors a = run(joined), b = run(apart);
    if (p == Precision::exact)
      CHECK(bits(a) == bits(b));
    else
      check_close(a, b, p == Precision::tf32 ? 2e-3f : 2e-2f);
    CHECK(bits(run(joined)) == bits(a));
    set_tf32(false);
  }
}

}  // namespace

TEST_CASE("conv2d_batch_norm on the device is near conv2d and batch_norm") {
  for (const Sizes& s :
       {Sizes{3, 9, 8, 16, 24, 3, 1}, Sizes{4, 7, 5, 3, 70, 3, 2}, Sizes{2, 9, 9, 64, 136, 1, 1}})
    check_joined(
        s, [](const Setup& t) { return conv2d_batch_norm(t.x, t.conv, t.after, t.residual); },
        [](const Setup& t) {
          return Setup::apply(t.after, conv2d(t.x, t.conv.weight, {}, t.conv.options), t.residual);
        });
}

TEST_CASE("batch_norm_conv2d on the device is near batch_norm, conv2d and batch_norm") {
  for (const Sizes& s :
       {Sizes{3, 9, 8, 16, 24, 1, 1}, Sizes{2, 9, 7, 5, 9, 1, 1}, Sizes{2, 9, 9, 72, 128, 1, 1}})
    check_joined(
        s, [](const Setup& t) { return batch_norm_conv2d(t.x, t.before, t.conv, t.after); },
        [](const Setup& t) {
          return Setup::apply(
              t.after, conv2d(Setup::apply(t.before, t.x), t.conv.weight, {}, t.conv.options));
        });
}

TEST_CASE("batch_norm_conv2d on the device reads channel slices") {
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16}) {
    const auto run = [&](bool joined) {
      const Setup t({3, 9, 8, 16, 24, 1, 1}, dtype);
      const Tensor wide = draw({3, 9, 8, 40}, "wide", -1, 2, dtype), part = slice(wide, 3, 0, 16);
      const Tensor y =
          joined ? batch_norm_conv2d(part, t.before, t.conv, t.after)
                 : Setup::apply(t.after, conv2d(Setup::apply(t.before, part), t.conv.weight));
      (sum(part) + sum(y * y)).backward();
      return Tensors{wide.grad().to(Dtype::float32), t.conv.weight.grad().to(Dtype::float32)};
    };
    check_close(run(true), run(false), dtype == Dtype::float32 ? 1e-6f : 2e-2f);
  }
}

TEST_CASE("a data gradient is added to what the input's gradient holds") {
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16}) {
    const Tensor w = draw({8, 3, 3, 16}, "w", -1, 1, dtype);
    const auto gradient = [&](bool twice) {
      const Tensor x = draw({2, 7, 6, 16}, "x", -1, 1, dtype);
      const Tensor y = conv2d(x, w.detach(), {}, {.padding = 1});
      (twice ? sum(y) + sum(x * 3) : sum(y)).backward();
      return x.grad().to(Dtype::float32);
    };
    check_close({gradient(true)}, {gradient(false) + 3.0}, dtype == Dtype::float32 ? 1e-6f : 1e-2f);
  }
}

TEST_CASE("channel_moments on the device are those of the CPU") {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64, Dtype::bfloat16}) {
    const Tensor x = draw({3, 11, 7, 19}, "x", 3, 5, dtype).detach();
    const ChannelMoments a = channel_moments(x),
                         b = channel_moments(x.to(Device::cpu()).to(Dtype::float64));
    for (const auto& [got, want] : {std::pair(a.mean, b.mean), std::pair(a.variance, b.variance)}) {
      const std::vector<double> g = got.to_vector<double>(), w = want.to_vector<double>();
      for (size_t c = 0; c < w.size(); ++c) CHECK(std::abs(g[c] - w[c]) <= 1e-6 * std::abs(w[c]));
    }
  }
}
