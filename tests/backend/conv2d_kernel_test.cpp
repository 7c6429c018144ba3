#include <doctest/doctest.h>

#include <cstdlib>

#include "backend/product_case.h"
#include "cuda/conv2d/fusion.h"

using namespace cytograd;
using namespace cytograd::test;
using kernels::Conv2dFusion;
using kernels::Conv2dShape;

namespace {

const Conv2dShape shapes[] = {
    {.n = 1, .h = 1, .w = 1, .c_in = 1, .c_out = 1, .kh = 1, .kw = 1},
    {.n = 2, .h = 7, .w = 5, .c_in = 3, .c_out = 5, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 3, .h = 7, .w = 7, .c_in = 17, .c_out = 33, .kh = 1, .kw = 1},
    {.n = 2,
     .h = 9,
     .w = 8,
     .c_in = 16,
     .c_out = 8,
     .kh = 1,
     .kw = 1,
     .stride_h = 2,
     .stride_w = 2},
    {.n = 1,
     .h = 23,
     .w = 19,
     .c_in = 3,
     .c_out = 8,
     .kh = 7,
     .kw = 7,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 3,
     .pad_w = 3},
    {.n = 1,
     .h = 13,
     .w = 11,
     .c_in = 8,
     .c_out = 16,
     .kh = 3,
     .kw = 2,
     .stride_h = 3,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 0,
     .dilation_h = 2,
     .dilation_w = 3},
    {.n = 1,
     .h = 12,
     .w = 12,
     .c_in = 6,
     .c_out = 9,
     .kh = 3,
     .kw = 3,
     .stride_h = 4,
     .stride_w = 2,
     .pad_h = 1,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 2,
     .groups = 3},
    {.n = 2,
     .h = 6,
     .w = 10,
     .c_in = 16,
     .c_out = 32,
     .kh = 3,
     .kw = 5,
     .pad_h = 1,
     .pad_w = 2,
     .groups = 2},
    {.n = 2,
     .h = 9,
     .w = 9,
     .c_in = 19,
     .c_out = 19,
     .kh = 3,
     .kw = 3,
     .stride_h = 2,
     .stride_w = 1,
     .pad_h = 1,
     .pad_w = 1,
     .groups = 19},
    {.n = 1, .h = 2, .w = 3, .c_in = 40, .c_out = 24, .kh = 5, .kw = 5, .pad_h = 4, .pad_w = 4},
    {.n = 2, .h = 8, .w = 9, .c_in = 72, .c_out = 136, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 1, .h = 12, .w = 12, .c_in = 136, .c_out = 72, .kh = 1, .kw = 1},
    {.n = 1, .h = 12, .w = 11, .c_in = 64, .c_out = 32, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 3, .h = 23, .w = 21, .c_in = 8, .c_out = 8, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 5,
     .h = 31,
     .w = 29,
     .c_in = 33,
     .c_out = 33,
     .kh = 3,
     .kw = 2,
     .pad_h = 1,
     .pad_w = 0,
     .dilation_h = 2,
     .dilation_w = 1,
     .groups = 33},
};

struct Operands {
  Operands(const Conv2dShape& s, Dtype dtype)
      : x(random_tensor("x", {s.n, s.h, s.w, s.c_in}, dtype)),
        weight(random_tensor("weight", {s.c_out, s.kh, s.kw, s.c_in / s.groups}, dtype)),
        dy(random_tensor("dy", {s.n, s.out_h(), s.out_w(), s.c_out}, dtype)),
        bias(random_tensor("bias", {s.c_out}, dtype)) {}
  Operands(const Operands& o, Tensor (*f)(const Tensor&))
      : x(f(o.x)), weight(f(o.weight)), dy(f(o.dy)), bias(f(o.bias)) {}
  Tensor x, weight, dy, bias;
};

struct Results {
  Tensor y, dx, dw;
};

template <class Context>
Results run(Context ctx, const Conv2dShape& s, const Operands& in) {
  const auto like = [](const Tensor& x) {
    return Tensor::full(x.shape(), 7, x.dtype(), x.device());
  };
  Results r{like(in.dy), like(in.x), like(in.weight)};
  kernels::conv2d_forward(ctx, s, in.x, in.weight, in.bias, r.y);
  kernels::conv2d_backward_data(ctx, s, in.dy, in.weight, r.dx);
  kernels::conv2d_backward_weight(ctx, s, in.x, in.dy, r.dw);
  return r;
}

Tensor to_device(const Tensor& x) { return x.to(Device::cuda()); }
Tensor to_double(const Tensor& x) { return x.to(Dtype::float64); }

void compare(const Arithmetic& a, const Conv2dShape& s) {
  INFO(a.name, " h ", s.h, " w ", s.w, " c_in ", s.c_in, " c_out ", s.c_out, " kh ", s.kh,
       " stride ", s.stride_h, " groups ", s.groups);
  const Tf32Scope scope(a.tf32);
  const Operands in(s, a.dtype), device(in, to_device);
  const Results expected = run(CpuContext{}, s, Operands(in, to_double));
  const Results magnitude = run(CpuContext{}, s, Operands(in, absolute));
  const Results got = run(device_context(), s, device), again = run(device_context(), s, device);
  const int64_t taps = s.kh * s.kw;
  CHECK(count_wrong(a, got.y, expected.y, magnitude.y, taps * s.c_in / s.groups + 1) == 0);
  CHECK(count_wrong(a, got.dx, expected.dx, magnitude.dx, taps * s.c_out / s.groups) == 0);
  CHECK(count_wrong(a, got.dw, expected.dw, magnitude.dw, s.n * s.out_h() * s.out_w()) == 0);
  CHECK(same_bits(got.y, again.y));
  CHECK(same_bits(got.dx, again.dx));
  CHECK(same_bits(got.dw, again.dw));
}

// max(x * scale + shift, 0) as the kernels compute it: in float32, rounded to the dtype of x.
Tensor mapped(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  auto values = x.to_vector<float>();
  const auto a = scale.to_vector<float>(), b = shift.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    const float y = values[i] * a[i % a.size()] + b[i % a.size()];
    values[i] = y < 0 ? 0 : y;
  }
  return Tensor::from(values, x.shape()).to(x.dtype());
}

}  // namespace

TEST_CASE("conv2d kernels equal the float64 kernels of the CPU") {
  // The race checker sees every access; ten million products are minutes, and no new kernel.
  const bool watched = std::getenv("CYTO_EMULATION_RACE") != nullptr;
  for (const Arithmetic& arithmetic : arithmetics)
    for (const Conv2dShape& s : shapes)
      if (!watched || s.c_in * s.c_out * s.kh * s.kw * s.h * s.w / s.groups < 4'000'000)
        compare(arithmetic, s);
}

TEST_CASE("conv2d kernels accept empty batches") {
  for (const Arithmetic& a : arithmetics) {
    const Conv2dShape s{.n = 0, .h = 5, .w = 5, .c_in = 8, .c_out = 8, .kh = 3, .kw = 3};
    const Results r = run(device_context(), s, Operands(Operands(s, a.dtype), to_device));
    for (const double v : r.dw.to(Device{}).to_vector<double>()) CHECK(v == 0);
  }
}

TEST_CASE(
    "a fused convolution reads and writes slices, maps its input, adds, and sums its columns") {
  for (const Arithmetic& a : arithmetics)
    for (const int64_t c_out : {24, 40, 136})
      for (const int64_t kernel : {1, 3}) {
        INFO(a.name, " c_out ", c_out, " kernel ", kernel);
        const Tf32Scope scope(a.tf32);
        Conv2dShape s{
            .n = 2, .h = 7, .w = 9, .c_in = 24, .c_out = c_out, .kh = kernel, .kw = kernel};
        s.pad_h = s.pad_w = kernel / 2;
        const Operands in(s, a.dtype);
        const Tensor scale = random_tensor("scale", {24}, Dtype::float32);
        const Tensor shift = random_tensor("shift", {24}, Dtype::float32);
        Operands host(in, to_double);
        host.x = mapped(in.x, scale, shift).to(Dtype::float64);
        Tensor expected = Tensor::empty_like(host.dy), magnitude = Tensor::empty_like(host.dy);
        kernels::conv2d_forward(CpuContext{}, s, host.x, host.weight, host.bias, expected);
        kernels::conv2d_forward(CpuContext{}, s, absolute(host.x), absolute(host.weight),
                                absolute(host.bias), magnitude);
        const auto residual = host.dy.to_vector<double>();
        for (int64_t i = 0; i < expected.numel(); ++i) {
          double& e = expected.data<double>()[i];
          e += residual[size_t(i)];
          e = e < 0 ? 0 : e;
          magnitude.data<double>()[i] += std::abs(residual[size_t(i)]);
        }
        // x and y are slices of wider pixels: 8 channels in front, 16 behind.
        const int64_t pixels = s.n * s.h * s.w;
        s.x_pitch = s.c_in + 24;
        s.y_pitch = s.c_out + 24;
        const auto slice = [&](const Tensor& wide, int64_t channels) {
          return wide.as_strided({pixels, channels}, {channels + 24, 1}, 8);
        };
        const Tensor x = Tensor::full({pixels, s.x_pitch}, NAN, a.dtype, Device::cuda());
        const Tensor y = Tensor::full({pixels, s.y_pitch}, 5, a.dtype, Device::cuda());
        slice(x, s.c_in).copy_(
            in.x.to(Device::cuda()).as_strided({pixels, s.c_in}, {s.c_in, 1}, 0));
        const Tensor mean = Tensor::empty({c_out}, Dtype::float32, Device::cuda());
        const Tensor variance = Tensor::empty_like(mean);
        const Operands device(in, to_device);
        kernels::conv2d_forward(
            device_context(), s, slice(x, s.c_in), device.weight, slice(y, c_out),
            Conv2dFusion{.bias = device.bias,
                         .residual = device.dy,
                         .relu = true,
                         .input_scale = to_device(scale),
                         .input_shift = to_device(shift),
                         .mean = mean,
                         .variance = variance,
                         .shift = Tensor::full({c_out}, 0.5, Dtype::float32, Device::cuda())});
        const Tensor whole = y.to(Device{}), got = slice(whole, c_out).contiguous();
        CHECK(count_wrong(a, got, expected, magnitude, kernel * kernel * 24 + 2) == 0);
        double outside = 0;
        for (int64_t p = 0; p < pixels; ++p)
          for (int64_t c = 0; c < 24; ++c) {
            const int64_t at = c < 8 ? c : c + c_out;
            outside += std::abs(whole.as_strided({1}, {1}, p * s.y_pitch + at).item() - 5);
          }
        CHECK(outside == 0);
        const auto stored = got.to_vector<double>(), m = mean.to(Device{}).to_vector<double>(),
                   v = variance.to(Device{}).to_vector<double>();
        for (int64_t c = 0; c < c_out; ++c) {
          double sum = 0, square = 0;
          for (int64_t p = 0; p < pixels; ++p) sum += stored[size_t(p * c_out + c)];
          sum /= double(pixels);
          for (int64_t p = 0; p < pixels; ++p)
            square += std::pow(stored[size_t(p * c_out + c)] - sum, 2) / double(pixels);
          CHECK(std::abs(m[size_t(c)] - sum) <= 1e-5 * (1 + std::abs(sum)));
          CHECK(std::abs(v[size_t(c)] - square) <= 1e-5 * (1 + square + sum * sum));
        }
      }
}

TEST_CASE("gradients of a fused convolution: accumulation, and filters of a mapped input") {
  for (const Arithmetic& a : arithmetics) {
    INFO(a.name);
    const Tf32Scope scope(a.tf32);
    const Conv2dShape s{.n = 2,
                        .h = 9,
                        .w = 9,
                        .c_in = 24,
                        .c_out = 40,
                        .kh = 1,
                        .kw = 1,
                        .stride_h = 2,
                        .stride_w = 2};
    const Operands in(s, a.dtype), device(in, to_device);
    const Tensor scale = random_tensor("scale", {24}, Dtype::float32);
    const Tensor shift = random_tensor("shift", {24}, Dtype::float32);
    Operands host(in, to_double);
    host.x = mapped(in.x, scale, shift).to(Dtype::float64);
    Results expected = run(CpuContext{}, s, host);
    Results magnitude = run(CpuContext{}, s, Operands(host, absolute));
    for (int64_t i = 0; i < expected.dx.numel(); ++i) {
      expected.dx.data<double>()[i] += 3;
      magnitude.dx.data<double>()[i] += 3;
    }
    const Tensor dx = Tensor::full(in.x.shape(), 3, a.dtype, Device::cuda());
    const Tensor dw = Tensor::full(in.weight.shape(), 7, a.dtype, Device::cuda());
    kernels::conv2d_backward_data(device_context(), s, device.dy, device.weight, dx, true);
    kernels::conv2d_backward_weight(device_context(), s, device.x, device.dy, dw, to_device(scale),
                                    to_device(shift));
    CHECK(count_wrong(a, dx, expected.dx, magnitude.dx, s.c_out + 1) == 0);
    CHECK(count_wrong(a, dw, expected.dw, magnitude.dw, s.n * s.out_h() * s.out_w()) == 0);
  }
}
