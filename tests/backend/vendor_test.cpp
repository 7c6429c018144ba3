#include "cuda/vendor/vendor.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "backend/product_case.h"
#include "cytograd/core/error.h"
#include "kernels/matmul.h"

/// @file
/// Our products and convolutions against cuBLASLt's and cuDNN's. Each is within its rounding of the
/// same float64 sums, so that an error of one is not an error of both.

using namespace cytograd;
using namespace cytograd::test;
using kernels::Conv2dShape;

namespace {

// Why there is nothing to compare with, or "".
std::string absence() {
  if (!cuda_available()) return cuda_absence();
  try {
    cuda::vendor::require();
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}

class KernelsScope {
 public:
  explicit KernelsScope(CudaKernels kernels) : before_(cuda_kernels()) {
    set_cuda_kernels(kernels);
  }
  ~KernelsScope() { set_cuda_kernels(before_); }
  KernelsScope(const KernelsScope&) = delete;
  KernelsScope& operator=(const KernelsScope&) = delete;

 private:
  CudaKernels before_;
};

Tensor to_device(const Tensor& x) { return x.to(Device::cuda()); }
Tensor to_double(const Tensor& x) { return x.to(Dtype::float64); }

// `run(got)` by our kernels and by the vendor's, both against the float64 sums; the vendor twice.
template <class Run>
void compare(const Arithmetic& a, const Tensor& expected, const Tensor& magnitude, int64_t terms,
             const Run& run) {
  const auto by = [&](CudaKernels kernels) {
    const KernelsScope scope(kernels);
    const Tensor got = Tensor::full(expected.shape(), 7, a.dtype, Device::cuda());
    run(got);
    return got;
  };
  CHECK(count_wrong(a, by(CudaKernels::own), expected, magnitude, terms) == 0);
  const Tensor vendor = by(CudaKernels::vendor);
  Arithmetic cut = a;  // the libraries may cut to TF32 instead of rounding
  cut.input_error *= 2;
  CHECK(count_wrong(cut, vendor, expected, magnitude, terms) == 0);
  CHECK(same_bits(vendor, by(CudaKernels::vendor)));
}

struct Product {
  int64_t batch, m, n, k;
  bool bias = false;
};
constexpr Product products[] = {{1, 256, 384, 512}, {1, 65, 33, 17, true},
                                {1, 1, 1000, 2048}, {1, 128, 1000, 512, true},
                                {3, 40, 72, 24},    {2, 1, 1, 5}};

constexpr Conv2dShape shapes[] = {
    {.n = 2, .h = 14, .w = 14, .c_in = 64, .c_out = 128, .kh = 1, .kw = 1},
    {.n = 2, .h = 14, .w = 14, .c_in = 64, .c_out = 64, .kh = 3, .kw = 3, .pad_h = 1, .pad_w = 1},
    {.n = 2,
     .h = 15,
     .w = 13,
     .c_in = 64,
     .c_out = 32,
     .kh = 3,
     .kw = 3,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 1,
     .pad_w = 1},
    {.n = 1,
     .h = 32,
     .w = 32,
     .c_in = 3,
     .c_out = 64,
     .kh = 7,
     .kw = 7,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 3,
     .pad_w = 3},
    {.n = 1,
     .h = 12,
     .w = 12,
     .c_in = 32,
     .c_out = 32,
     .kh = 3,
     .kw = 3,
     .pad_h = 2,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 2},
    {.n = 1,
     .h = 10,
     .w = 10,
     .c_in = 32,
     .c_out = 64,
     .kh = 3,
     .kw = 3,
     .pad_h = 1,
     .pad_w = 1,
     .groups = 4},
};

struct Operands {
  Operands(const Conv2dShape& s, Dtype dtype)
      : x(random_tensor("x", {s.n, s.h, s.w, s.c_in}, dtype)),
        weight(random_tensor("weight", {s.c_out, s.kh, s.kw, s.c_in / s.groups}, dtype)),
        dy(random_tensor("dy", {s.n, s.out_h(), s.out_w(), s.c_out}, dtype)) {}
  Operands(const Operands& o, Tensor (*f)(const Tensor&))
      : x(f(o.x)), weight(f(o.weight)), dy(f(o.dy)) {}
  Tensor x, weight, dy;
};

struct Passes {
  explicit Passes(const Operands& in)
      : y(Tensor::empty_like(in.dy)),
        dx(Tensor::empty_like(in.x)),
        dw(Tensor::empty_like(in.weight)) {}
  Tensor y, dx, dw;
};
Passes on_host(const Conv2dShape& s, const Operands& in) {
  Passes out(in);
  kernels::conv2d_forward(CpuContext{}, s, in.x, in.weight, {}, out.y);
  kernels::conv2d_backward_data(CpuContext{}, s, in.dy, in.weight, out.dx);
  kernels::conv2d_backward_weight(CpuContext{}, s, in.x, in.dy, out.dw);
  return out;
}

}  // namespace

TEST_CASE("vendor libraries: every function is found, or one error says what is missing") {
  try {
    set_cuda_kernels(CudaKernels::vendor);
    CHECK(cuda_kernels() == CudaKernels::vendor);
    set_cuda_kernels(CudaKernels::own);
    MESSAGE("cuBLASLt and cuDNN were loaded");
  } catch (const DeviceError& e) {
    CHECK(e.fault().id == "gpu.vendor");
    CHECK(std::string(e.what()).find("--kernels own") != std::string::npos);
    MESSAGE(std::string(e.what()));
  }
  CHECK(cuda_kernels() == CudaKernels::own);
  CHECK_THROWS_AS(choose_kernels(Device::cpu(), "vendor"), ValueError);
  CHECK_THROWS_AS(choose_kernels(Device::cuda(), "other"), ValueError);
}

TEST_CASE("vendor products and ours are the same sums") {
  if (const std::string why = absence(); !why.empty()) {
    MESSAGE("skipped: " << why);
    return;
  }
  for (const Arithmetic& a : arithmetics) {
    if (a.dtype == Dtype::float64) continue;
    const Tf32Scope scope(a.tf32);
    for (const Product& p : products) {
      INFO(a.name, " batch ", p.batch, " m ", p.m, " n ", p.n, " k ", p.k);
      const Tensor left = random_tensor("a", {p.batch, p.m, p.k}, a.dtype);
      const Tensor right = random_tensor("b", {p.batch, p.k, p.n}, a.dtype);
      const Tensor bias = p.bias ? random_tensor("bias", {p.n}, a.dtype) : Tensor{};
      Tensor expected = Tensor::empty({p.batch, p.m, p.n}, Dtype::float64);
      Tensor magnitude = Tensor::empty_like(expected);
      kernels::matmul(CpuContext{}, to_double(left), to_double(right),
                      p.bias ? to_double(bias) : Tensor{}, expected);
      kernels::matmul(CpuContext{}, absolute(left), absolute(right),
                      p.bias ? absolute(bias) : Tensor{}, magnitude);
      const Tensor l = to_device(left), r = to_device(right),
                   b = p.bias ? to_device(bias) : Tensor{};
      compare(a, expected, magnitude, p.k + 1, [&](const Tensor& got) {
        if (cuda_kernels() == CudaKernels::vendor && p.m > 1)
          CHECK(cuda::vendor::matmul(device_context(), l, r, b, got));
        kernels::matmul(device_context(), l, r, b, got);
      });
    }
  }
}

TEST_CASE("vendor convolutions and ours are the same sums") {
  if (const std::string why = absence(); !why.empty()) {
    MESSAGE("skipped: " << why);
    return;
  }
  for (const Arithmetic& a : arithmetics) {
    if (a.dtype == Dtype::float64) continue;
    const Tf32Scope scope(a.tf32);
    int64_t by_us = 0;
    for (const Conv2dShape& s : shapes) {
      INFO(a.name, " h ", s.h, " c_in ", s.c_in, " c_out ", s.c_out, " kh ", s.kh, " groups ",
           s.groups);
      const Operands in(s, a.dtype), device(in, to_device);
      const Passes expected = on_host(s, Operands(in, to_double));
      const Passes magnitude = on_host(s, Operands(in, absolute));
      const int64_t taps = s.kh * s.kw;
      const auto ctx = device_context();
      compare(a, expected.y, magnitude.y, taps * s.c_in / s.groups, [&](const Tensor& y) {
        if (cuda_kernels() == CudaKernels::vendor)
          by_us += !cuda::vendor::conv2d_forward(ctx, s, device.x, device.weight, {}, y);
        kernels::conv2d_forward(ctx, s, device.x, device.weight, {}, y);
      });
      compare(a, expected.dx, magnitude.dx, taps * s.c_out / s.groups, [&](const Tensor& dx) {
        if (cuda_kernels() == CudaKernels::vendor)
          by_us += !cuda::vendor::conv2d_backward_data(ctx, s, device.dy, device.weight, dx);
        kernels::conv2d_backward_data(ctx, s, device.dy, device.weight, dx);
      });
      compare(a, expected.dw, magnitude.dw, s.n * s.out_h() * s.out_w(), [&](const Tensor& dw) {
        if (cuda_kernels() == CudaKernels::vendor)
          by_us += !cuda::vendor::conv2d_backward_weight(ctx, s, device.x, device.dy, dw);
        kernels::conv2d_backward_weight(ctx, s, device.x, device.dy, dw);
      });
    }
    MESSAGE(a.name << ": " << by_us << " of " << 6 * std::size(shapes)
                   << " calls have no deterministic algorithm of cuDNN's");
  }
}
