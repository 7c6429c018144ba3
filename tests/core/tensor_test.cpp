#include "cytograd/core/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cytograd/core/error.h"

using namespace cytograd;

TEST_CASE("views share storage, copies do not") {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  const Tensor t = x.as_strided({3, 2}, {1, 3}, 0);
  CHECK(!t.is_contiguous());
  CHECK(t.to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  const Tensor packed = t.contiguous();
  CHECK(packed.is_contiguous());
  x.fill_(0);
  CHECK(t.to_vector<float>() == std::vector<float>(6, 0));
  CHECK(packed.to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK_THROWS_AS(x.as_strided({3, 3}, {3, 1}, 0), ShapeError);
}

TEST_CASE("scalars, empty tensors and rank 8") {
  CHECK(Tensor::scalar(2.5, Dtype::float64).item() == 2.5);
  CHECK(Tensor::zeros({0, 3}).numel() == 0);
  CHECK(Tensor::zeros({0, 3}).to_vector<float>().empty());
  CHECK(Tensor::zeros({1, 1, 1, 1, 1, 1, 1, 2}).numel() == 2);
  CHECK_THROWS_AS(Tensor::zeros({-1}), ShapeError);
  CHECK_THROWS_AS(Tensor::zeros({INT64_MAX, 3}), ShapeError);
  CHECK_THROWS_AS(Tensor{}.shape(), StateError);
}

TEST_CASE("bfloat16 rounds to nearest even and keeps NaN") {
  CHECK(to_float(to_bfloat16(1.0f)) == 1.0f);
  CHECK(to_float(to_bfloat16(1.00390625f)) == 1.0f);       // half way, even below
  CHECK(to_float(to_bfloat16(1.01171875f)) == 1.015625f);  // half way, even above
  CHECK(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  const Tensor x = Tensor::from<float>({1.5f, -2.0f});
  CHECK(x.to(Dtype::bfloat16).to(Dtype::float32).to_vector<float>() ==
        std::vector<float>{1.5f, -2.0f});
}

TEST_CASE("mem.full is an error that leaves everything usable") {
  const MemoryStats before = memory_stats();
  fail_allocation_at(1);
  CHECK_THROWS_AS(Tensor::zeros({1000}), DeviceError);
  fail_allocation_at(0);
  CHECK(memory_stats().in_use == before.in_use);
  CHECK(Tensor::ones({1000}).to_vector<float>()[999] == 1.0f);
}
