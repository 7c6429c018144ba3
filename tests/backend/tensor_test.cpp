#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cytograd/core/cuda.h"
#include "cytograd/core/tensor.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/shape.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

TEST_CASE("a tensor goes to the device and comes back") {
  for (const Dtype dtype :
       {Dtype::float32, Dtype::float64, Dtype::bfloat16, Dtype::int64, Dtype::uint8}) {
    CAPTURE(dtype);
    const std::vector<double> values{0, 1, 2, 250, 4, 5};
    const Tensor host = Tensor::from(values, {2, 3}).to(dtype);
    const Tensor there = host.to(Device::cuda());
    CHECK(there.device() == Device::cuda());
    CHECK(there.dtype() == dtype);
    CHECK(there.to(Device::cpu()).to_vector<double>() == values);
    CHECK(there.to_vector<double>() == values);
    CHECK(transpose(there, 0, 1).to(Device::cpu()).to_vector<double>() ==
          transpose(host, 0, 1).to_vector<double>());
  }
  CHECK(Tensor::full({}, 3.5, Dtype::float64, Device::cuda()).item() == 3.5);
  CHECK(Tensor::zeros({0, 3}, Dtype::float32, Device::cuda()).to(Device::cpu()).numel() == 0);
}

TEST_CASE("to(device) passes gradients back to where the tensor was") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3});
  x.set_requires_grad(true);
  (x.to(Device::cuda()) * 2).backward(Tensor::ones({3}, Dtype::float32, Device::cuda()));
  CHECK(x.grad().device() == Device::cpu());
  CHECK(x.grad().to_vector<float>() == std::vector<float>{2, 2, 2});
}

TEST_CASE("every conversion agrees with the CPU, packed and strided, also at the end of a range") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> values{0,    -0.0, 0.5,  1.5,   -1.5, 255.4, 255.6, 300,
                             -7.2, 1e10, 1e19, -1e19, inf,  -inf,  NAN,   3.140625};
  for (int i = 0; i < 21; ++i) values.push_back(i * 1.3 - 9);  // 37: a tail for every pack
  const Dtype all[] = {Dtype::float32, Dtype::float64, Dtype::bfloat16, Dtype::int64, Dtype::uint8};
  const auto bits = [](const Tensor& x) {
    const Tensor y = x.to(Device::cpu()).contiguous();
    const auto* p = static_cast<const unsigned char*>(y.raw_data());
    return std::vector<unsigned char>(p, p + y.bytes());
  };
  for (const Dtype from : all)
    for (const Dtype to : all) {
      CAPTURE(from);
      CAPTURE(to);
      const Tensor host = Tensor::from(values).to(from), there = host.to(Device::cuda());
      CHECK(bits(there.to(to)) == bits(host.to(to)));
      CHECK(bits(slice(there, 0, 1, 37, 3).to(to)) == bits(slice(host, 0, 1, 37, 3).to(to)));
      CHECK(bits(slice(there, 0, 1, 37).to(to)) == bits(slice(host, 0, 1, 37).to(to)));
    }
}

TEST_CASE("fill_ and copy_ reach every element of a view and no other") {
  for (const Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::uint8}) {
    const Tensor host = Tensor::full({5, 7, 3}, 9, dtype), there = host.to(Device::cuda());
    for (const Tensor& x : {host, there}) {
      slice(x, 1, 1, 6, 2).fill_(4);
      slice(x, 2, 1, 2).copy_(Tensor::full({5, 7, 1}, 2, Dtype::float64));
      slice(x, 0, 0, 1).fill_(0);
    }
    CHECK(there.to_vector<double>() == host.to_vector<double>());
    const Tensor back = Tensor::zeros({5, 7, 3}, Dtype::float32);
    back.copy_(there);
    CHECK(back.to_vector<double>() == host.to_vector<double>());
  }
}

TEST_CASE("operands on two devices are one clear error") {
  const Tensor here = Tensor::ones({2, 2}), there = here.to(Device::cuda());
  check_op_error<DeviceError>(
      [&] { add(here, there); },
      "add: the second operand expects cpu, where the input is, got cuda:0; "
      "move it with to(device)");
  check_op_error<DeviceError>([&] { matmul(there, here); },
                              "matmul: the second operand expects cuda:0, where the input is, got "
                              "cpu; move it with to(device)");
  check_op_error<DeviceError>(
      [&] {
        concat({here, there}, 0);
      },
      "concat: tensor 1 expects cpu, where the input is, got cuda:0; move "
      "it with to(device)");
  check_op_error<DeviceError>(
      [&] { Tensor::empty({1}, Dtype::float32, Device::cuda(7)); },
      "there is no cuda:7; expected one of 1 devices; pass --device cpu [gpu.none]");
}
