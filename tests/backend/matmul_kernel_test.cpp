#include "kernels/matmul.h"

#include <doctest/doctest.h>

#include "backend/product_case.h"
#include "cytograd/ops/shape.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

struct Case {
  int64_t batch, m, n, k;
  bool a_transposed = false, b_transposed = false, bias = false;
};

// [batch, rows, columns] of values, laid out with the last two axes exchanged if `transposed`.
Tensor matrices(const char* name, int64_t batch, int64_t rows, int64_t columns, bool transposed,
                Dtype dtype) {
  if (!transposed) return random_tensor(name, {batch, rows, columns}, dtype);
  return transpose(random_tensor(name, {batch, columns, rows}, dtype), 1, 2);
}

// The same view of a copy on the device.
Tensor on_the_device(const Tensor& x) {
  const Tensor flat = x.as_strided({x.numel()}, {1}, x.offset()).to(Device::cuda());
  return flat.as_strided(x.shape(), x.strides(), 0);
}

Tensor reference(const Tensor& a, const Tensor& b, const Tensor& bias) {
  Tensor c = Tensor::empty({a.size(0), a.size(1), b.size(2)}, Dtype::float64);
  kernels::matmul(CpuContext{}, a, b, bias, c);
  return c;
}

void compare(const Arithmetic& arithmetic, const Case& c) {
  INFO(arithmetic.name, " batch ", c.batch, " m ", c.m, " n ", c.n, " k ", c.k, " transposed ",
       c.a_transposed, c.b_transposed);
  const Tf32Scope scope(arithmetic.tf32);
  const Tensor a = matrices("a", c.batch, c.m, c.k, c.a_transposed, arithmetic.dtype);
  const Tensor b = matrices("b", c.batch, c.k, c.n, c.b_transposed, arithmetic.dtype);
  const Tensor bias = c.bias ? random_tensor("bias", {c.n}, arithmetic.dtype) : Tensor{};
  const auto run = [&] {
    Tensor y = Tensor::full({c.batch, c.m, c.n}, 7, arithmetic.dtype, Device::cuda());
    kernels::matmul(device_context(), on_the_device(a), on_the_device(b),
                    c.bias ? bias.to(Device::cuda()) : Tensor{}, y);
    return y;
  };
  const Tensor y = run();
  const Tensor wide_bias = c.bias ? bias.to(Dtype::float64) : Tensor{};
  const Tensor expected = reference(a.to(Dtype::float64), b.to(Dtype::float64), wide_bias);
  const Tensor magnitude = reference(absolute(a), absolute(b), c.bias ? absolute(bias) : Tensor{});
  CHECK(count_wrong(arithmetic, y, expected, magnitude, c.k) == 0);
  CHECK(same_bits(y, run()));
}

}  // namespace

TEST_CASE("matmul kernels equal a float64 product below, at and above their tiles") {
  const int64_t sizes[][3] = {{1, 1, 1},     {4, 4, 0},     {5, 7, 3},      {64, 64, 32},
                              {64, 128, 64}, {65, 67, 61},  {128, 136, 72}, {56, 72, 200},
                              {8, 8, 1096},  {16, 24, 1021}};
  for (const Arithmetic& arithmetic : arithmetics)
    for (const auto& [m, n, k] : sizes)
      for (const int layout : {0, 1, 2, 3})
        compare(arithmetic, {1, m, n, k, layout % 2 == 1, layout / 2 == 1, layout == 1});
}

TEST_CASE("matmul kernels take large tiles where there are enough") {
  for (const Arithmetic& arithmetic : arithmetics) {
    if (arithmetic.dtype == Dtype::float64) continue;
    for (const int layout : {0, 1, 2, 3})
      compare(arithmetic, {66, 72, 136, 40, layout % 2 == 1, layout / 2 == 1, true});
  }
}

TEST_CASE(
    "matmul kernels split deep sums and walk many tiles, in bfloat16 as the device can best") {
  for (const int layout : {1, 2})
    compare(arithmetics[2], {1, 136, 264, 5640, layout % 2 == 1, layout / 2 == 1, true});
  compare(arithmetics[2], {1, 127 * 128 + 8, 136, 72, false, true, true});
}

TEST_CASE("matmul kernels walk batches with several axes, repeated matrices and gaps") {
  for (const Arithmetic& arithmetic : arithmetics) {
    INFO(arithmetic.name);
    const Tf32Scope scope(arithmetic.tf32);
    const Shape shape{2, 1, 3, 1, 2, 2, 5, 8};
    const Tensor a = random_tensor("a", {2, 5, 3, 1, 2, 3, 5, 8}, arithmetic.dtype);
    const Tensor b = random_tensor("b", {8, 24}, arithmetic.dtype);
    const auto view = [&](const Tensor& whole) {  // the first of 5, the first two of 3
      return whole.as_strided(shape, a.strides(), 0);
    };
    const auto repeated = [&](const Tensor& whole) {
      return whole.as_strided({2, 1, 3, 1, 2, 2, 8, 24}, {0, 0, 0, 0, 0, 0, 24, 1}, 0);
    };
    const Tensor wide_a = a.to(Dtype::float64), wide_b = b.to(Dtype::float64);
    Tensor expected = Tensor::empty({2, 1, 3, 1, 2, 2, 5, 24}, Dtype::float64);
    Tensor magnitude = Tensor::empty_like(expected);
    kernels::matmul(CpuContext{}, view(wide_a), repeated(wide_b), {}, expected);
    kernels::matmul(CpuContext{}, view(absolute(a)), repeated(absolute(b)), {}, magnitude);
    Tensor y = Tensor::full(expected.shape(), 7, arithmetic.dtype, Device::cuda());
    kernels::matmul(device_context(), view(a.to(Device::cuda())), repeated(b.to(Device::cuda())),
                    {}, y);
    CHECK(count_wrong(arithmetic, y, expected, magnitude, 8) == 0);
  }
}

TEST_CASE("matmul kernels form every product: zero times NaN is NaN") {
  for (const Arithmetic& arithmetic : arithmetics) {
    const Tf32Scope scope(arithmetic.tf32);
    const Tensor a = Tensor::zeros({1, 72, 72}, arithmetic.dtype);
    const Tensor b = Tensor::full({1, 72, 72}, NAN, arithmetic.dtype);
    Tensor y = Tensor::zeros({1, 72, 72}, arithmetic.dtype, Device::cuda());
    kernels::matmul(device_context(), a.to(Device::cuda()), b.to(Device::cuda()), {}, y);
    int64_t nans = 0;
    for (const double v : y.to(Device{}).to_vector<double>()) nans += std::isnan(v);
    CHECK(nans == 72 * 72);
  }
}
