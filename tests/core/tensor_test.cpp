#include "cytograd/core/tensor.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "core/sanitizers.h"
#include "cytograd/core/error.h"
#include "cytograd/core/memory.h"

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

#if !defined(CYTOGRAD_ASAN) && !defined(CYTOGRAD_TSAN)
TEST_CASE("large blocks are aligned, and the system's again when the cache is emptied") {
  const auto resident = [] {
    long all = 0, mapped = 0;
    std::ifstream("/proc/self/statm") >> all >> mapped;
    return mapped * sysconf(_SC_PAGESIZE);
  };
  empty_cache();
  const long before = resident();
  for (const int64_t bytes : {1 << 20, 3 << 20, 4 << 20, (5 << 20) + 1, 40 << 20}) {
    const Tensor x = Tensor::zeros({bytes}, Dtype::uint8);
    CHECK(reinterpret_cast<uintptr_t>(x.data<uint8_t>()) % (bytes >= 4 << 20 ? 2 << 20 : 64) == 0);
    x.fill_(7);
    CHECK(x.data<uint8_t>()[bytes - 1] == 7);
  }
  CHECK(resident() - before > 40 << 20);
  empty_cache();
  CHECK(memory_stats().cached == 0);
  CHECK(resident() - before < 4 << 20);
}
#endif

TEST_CASE("sizes beyond memory and int64 are refused, not wrapped around") {
  // 2^61 float64 are 2^64 bytes, which is 0 in size_t.
  CHECK_THROWS_WITH_AS(Tensor::empty({int64_t{1} << 61}, Dtype::float64),
                       "tensor: too many bytes in float64 [2305843009213693952]", ShapeError);
  CHECK_THROWS_AS(Tensor::empty({0, int64_t{1} << 62, 4}), ShapeError);
  CHECK(Tensor::ones({3}).to_vector<float>()[0] == 1.0);
}

TEST_CASE("views stay inside their storage") {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4});
  CHECK(x.as_strided({4}, {-1}, 3).to_vector<float>() == std::vector<float>{4, 3, 2, 1});
  CHECK_THROWS_AS(x.as_strided({4}, {-1}, 2), ShapeError);
  CHECK_THROWS_AS(x.as_strided({-1, -1}, {1, 1}, 0), ShapeError);
  CHECK_THROWS_AS(x.as_strided({3}, {INT64_MAX}, 0), ShapeError);
  CHECK_THROWS_AS(x.as_strided({2, 2}, {INT64_MAX, INT64_MAX}, 0), ShapeError);
  CHECK_THROWS_AS(x.as_strided({1}, {1}, 4), ShapeError);
}

TEST_CASE("copies between overlapping views read before they write") {
  const int64_t n = 200'000;  // several chunks
  std::vector<double> values(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) values[static_cast<size_t>(i)] = static_cast<double>(i);
  const Tensor x = Tensor::from(values);
  x.as_strided({n - 1}, {1}, 1).copy_(x.as_strided({n - 1}, {1}, 0));
  const std::vector<double> got = x.to_vector<double>();
  values.insert(values.begin(), 0.0);
  values.pop_back();
  CHECK(got == values);
  const Tensor repeated = Tensor::zeros({1}).as_strided({3, 2}, {0, 0}, 0);
  CHECK_THROWS_WITH_AS(repeated.fill_(1),
                       "fill_: the tensor repeats its elements along dim 0; clone it first",
                       ValueError);
  CHECK_THROWS_AS(repeated.copy_(Tensor::ones({3, 2})), ValueError);
}

TEST_CASE("conversions to integers round and saturate") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = Tensor::from<double>({1.5, 2.5, -0.4, -7, 300, 1e300, -inf, std::nan("")});
  CHECK(x.to(Dtype::int64).to_vector<int64_t>() ==
        std::vector<int64_t>{2, 2, 0, -7, 300, INT64_MAX, INT64_MIN, 0});
  CHECK(x.to(Dtype::uint8).to_vector<uint8_t>() ==
        std::vector<uint8_t>{2, 2, 0, 0, 255, 255, 0, 0});
  CHECK(x.to(Dtype::int64).to(Dtype::uint8).to_vector<uint8_t>() ==
        std::vector<uint8_t>{2, 2, 0, 0, 255, 255, 0, 0});
  CHECK(x.to(Dtype::float32).to(Dtype::int64).to_vector<int64_t>() ==
        std::vector<int64_t>{2, 2, 0, -7, 300, INT64_MAX, INT64_MIN, 0});
}

TEST_CASE("strided copies of every shape") {
  const Tensor x = Tensor::empty({3, 1, 70'000, 2});
  for (int64_t i = 0; i < x.numel(); ++i) x.data<float>()[i] = static_cast<float>(i);
  const Tensor t = x.as_strided({2, 70'000, 3}, {1, 2, 140'000}, 0).contiguous();
  bool right = true;
  for (int64_t c = 0; c < 2; ++c)
    for (int64_t w = 0; w < 70'000; ++w)
      for (int64_t n = 0; n < 3; ++n)
        right = right && t.data<float>()[(c * 70'000 + w) * 3 + n] ==
                             static_cast<float>(n * 140'000 + w * 2 + c);
  CHECK(right);
  CHECK(Tensor::zeros({2, 0, 3}).as_strided({3, 0, 2}, {1, 3, 0}, 0).clone().numel() == 0);
}
