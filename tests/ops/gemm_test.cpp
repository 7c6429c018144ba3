#include "kernels/gemm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "support/kernel_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

struct Case {
  int64_t m, n, k;
  bool trans_a = false, trans_b = false, accumulate = false, bias = false, relu = false;
  int64_t slack = 0;  // elements between the end of a row and the start of the next
};

template <class T>
struct Operands {
  explicit Operands(const Case& c)
      : lda((c.trans_a ? c.m : c.k) + c.slack),
        ldb((c.trans_b ? c.k : c.n) + c.slack),
        ldc(c.n + c.slack),
        a(random_values<T>("a", (c.trans_a ? c.k : c.m) * lda)),
        b(random_values<T>("b", (c.trans_b ? c.n : c.k) * ldb)),
        c(random_values<T>("c", c.m * ldc)),
        bias(random_values<T>("bias", c.n)) {}
  int64_t lda, ldb, ldc;
  std::vector<T> a, b, c, bias;
};

template <class T>
std::vector<T> product(const Case& t, const Operands<T>& in) {
  std::vector<T> c = in.c;
  kernels::gemm<T>(t.trans_a, t.trans_b, t.m, t.n, t.k, in.a.data(), in.lda, in.b.data(), in.ldb,
                   c.data(), in.ldc, t.accumulate,
                   {.bias = t.bias ? in.bias.data() : nullptr, .relu = t.relu});
  return c;
}

template <class T>
Sum element(const Case& t, const Operands<T>& in, int64_t i, int64_t j) {
  Sum sum;
  for (int64_t p = 0; p < t.k; ++p) {
    const T a = in.a[static_cast<size_t>(t.trans_a ? p * in.lda + i : i * in.lda + p)];
    const T b = in.b[static_cast<size_t>(t.trans_b ? j * in.ldb + p : p * in.ldb + j)];
    sum.add(static_cast<double>(a) * static_cast<double>(b));
  }
  if (t.accumulate) sum.add(static_cast<double>(in.c[static_cast<size_t>(i * in.ldc + j)]));
  if (t.bias) sum.add(static_cast<double>(in.bias[static_cast<size_t>(j)]));
  if (t.relu && sum.value < 0) sum.value = 0;
  return sum;
}

template <class T>
void compare(const Case& t) {
  const Operands<T> in(t);
  const std::vector<T> c = product(t, in);
  int64_t wrong = 0, overwritten = 0;
  for (int64_t i = 0; i < t.m; ++i) {
    for (int64_t j = 0; j < in.ldc; ++j) {
      const T got = c[static_cast<size_t>(i * in.ldc + j)];
      if (j >= t.n)
        overwritten += got != in.c[static_cast<size_t>(i * in.ldc + j)];
      else
        wrong += !element(t, in, i, j).close_to(got);
    }
  }
  INFO(isa_name(), " ", t.m, "x", t.n, "x", t.k, " trans ", t.trans_a, t.trans_b, " accumulate ",
       t.accumulate, " bias ", t.bias, " relu ", t.relu, " element bytes ", sizeof(T));
  CHECK(wrong == 0);
  CHECK(overwritten == 0);
}

constexpr int64_t sizes[][3] = {{1, 1, 1},      {0, 3, 4},     {3, 0, 4},    {3, 4, 0},
                                {2, 3, 5},      {14, 32, 7},   {13, 31, 17}, {15, 33, 257},
                                {1, 67, 40},    {67, 1, 40},   {29, 16, 64}, {113, 97, 1},
                                {130, 47, 300}, {128, 67, 515}};

}  // namespace

TEST_CASE("gemm equals the sum of products in every layout and instruction set") {
  for_each_isa([](const std::string&) {
    for (const auto& [m, n, k] : sizes) {
      for (int flags = 0; flags < 4; ++flags) {
        const bool ta = flags & 1, tb = flags & 2;
        compare<float>({m, n, k, ta, tb});
        compare<double>({m, n, k, ta, tb, true, false, false, 3});
        compare<float>({m, n, k, ta, tb, false, true, true, 5});
        compare<double>({m, n, k, ta, tb, true, true, false});
      }
    }
  });
}

TEST_CASE("gemm with a depth long enough to be split") {
  for_each_isa([](const std::string&) {
    compare<float>({5, 7, 9001, true, false});
    compare<float>({65, 33, 4500, true, false, true, true, true, 1});
    compare<double>({3, 40, 6000, false, true, true});
  });
}

TEST_CASE("gemm wider than the bound on packed B") {
  compare<float>({3, 70001, 70, false, true, false, true});
  compare<float>({150, 2500, 2000});
}

TEST_CASE("gemm gives the same bits for any number of threads") {
  for (const Case& t : {Case{200, 300, 700}, Case{64, 64, 20000, true}, Case{49, 512, 900},
                        Case{500, 33, 65, false, true, true, true, true},
                        Case{128, 600, 800, false, true, false, true}, Case{140, 800, 259}}) {
    const Operands<float> in(t);
    CHECK(same_for_any_threads([&] { return product(t, in); }));
  }
}

TEST_CASE("gemm gives the same bits with avx2 and avx512") {
  if (available_isas().size() < 3) return;
  const Case t{131, 77, 5000, true, true, true, true};
  const Operands<float> in(t);
  const std::string before = isa_name();
  set_isa("avx2");
  const auto expected = product(t, in);
  set_isa("avx512");
  CHECK(product(t, in) == expected);
  set_isa(before);
}

TEST_CASE("gemm forms every product: 0 * NaN is NaN, and relu keeps it") {
  for_each_isa([](const std::string&) {
    const Case t{17, 35, 40, false, false, false, false, true};
    Operands<float> in(t);
    std::fill(in.a.begin(), in.a.end(), 0.0f);
    in.b[static_cast<size_t>(20 * in.ldb + 34)] = NAN;
    const auto c = product(t, in);
    for (int64_t i = 0; i < t.m; ++i) {
      CHECK(std::isnan(c[static_cast<size_t>(i * in.ldc + 34)]));
      CHECK(c[static_cast<size_t>(i * in.ldc + 33)] == 0.0f);
    }
  });
}

TEST_CASE("an instruction set that does not exist is refused") {
  CHECK_THROWS_WITH_AS(set_isa("sse9"), "set_isa: expected portable, avx2 or avx512, got \"sse9\"",
                       ConfigError);
  CHECK(available_isas().front() == "portable");
}
