#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/softmax.h"

#include "support/kernel_case.h"

/// @file
/// The exponentials of rows: equal bits for every instruction set and number of threads, correct at
/// the lengths where they change their way.

using namespace cytograd;
using namespace cytograd::test;

namespace {

struct Bits {
  std::vector<double> values;
  // NaN equals NaN.
  bool operator==(const Bits& other) const {
    if (values.size() != other.values.size()) return false;
    for (size_t i = 0; i < values.size(); ++i)
      if (values[i] != other.values[i] && !(std::isnan(values[i]) && std::isnan(other.values[i])))
        return false;
    return true;
  }
  void add(const Tensor& t) {
    const auto more = t.to(Dtype::float64).to_vector<double>();
    values.insert(values.end(), more.begin(), more.end());
  }
};

Tensor rows_of(int64_t rows, int64_t n, Dtype dtype) {
  const auto values = random_values<double>("rows", rows * n);
  return Tensor::from(values, {rows, n}).to(dtype);
}

// Everything that the row kernels compute.
Bits all_of(const Tensor& x) {
  Bits out;
  for (const Tensor& y :
       {softmax(x, -1), log_softmax(x, -1), logsumexp(x, -1), sigmoid(x), tanh(x), exp(x)})
    out.add(y);
  Tensor z = x.clone();
  z.set_requires_grad(true);
  std::vector<int64_t> labels(static_cast<size_t>(x.size(0)));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int64_t>(i) % x.size(1);
  const Tensor loss =
      cross_entropy(z, Tensor::from(labels), {.class_weight = {}, .label_smoothing = 0.1});
  loss.backward();
  out.add(loss.detach());
  out.add(z.grad());
  z.zero_grad();
  log_softmax(z, -1).backward(x);
  out.add(z.grad());
  return out;
}

}  // namespace

TEST_CASE("exponentials of rows have the same bits for every instruction set and thread count") {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64})
    for (const int64_t n : {1, 2, 7, 8, 9, 21, 63, 64, 65, 511, 512, 513, 1030})
      for (const int64_t rows : {1, 3, 64, 65, 130}) {
        Tensor x = rows_of(rows, n, dtype);
        const Bits expected = all_of(x);
        for_each_isa([&](const std::string& isa) {
          CAPTURE(isa);
          CAPTURE(n);
          CAPTURE(rows);
          CHECK(all_of(x) == expected);
        });
        if (rows == 130) CHECK(same_for_any_threads([&] { return all_of(x); }));
      }
}

TEST_CASE("sums of exponentials at the lengths where their way changes") {
  for_each_isa([](const std::string& isa) {
    CAPTURE(isa);
    for (const int64_t n : {1, 8, 9, 63, 64, 65, 512, 513, 1030}) {
      CAPTURE(n);
      const Tensor x = rows_of(67, n, Dtype::float32);
      const auto in = x.to_vector<float>(), lse = logsumexp(x, -1).to_vector<float>(),
                 p = softmax(x, -1).to_vector<float>(), q = log_softmax(x, -1).to_vector<float>();
      int64_t wrong = 0;
      for (int64_t row = 0; row < 67; ++row) {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i)
          sum += std::exp(static_cast<double>(in[static_cast<size_t>(row * n + i)]));
        CHECK(lse[static_cast<size_t>(row)] == doctest::Approx(std::log(sum)).epsilon(1e-6));
        for (int64_t i = 0; i < n; ++i) {
          const auto at = static_cast<size_t>(row * n + i);
          const double e = std::exp(static_cast<double>(in[at]));
          wrong += !(std::abs(static_cast<double>(p[at]) - e / sum) <= 1e-6 * (e / sum));
          wrong += !(std::abs(static_cast<double>(q[at]) - std::log(e / sum)) <= 2e-6);
        }
      }
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("NaN and infinities stay in their row") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  for_each_isa([](const std::string& isa) {
    CAPTURE(isa);
    for (const int64_t n : {3, 64, 600})
      for (const float bad : {NAN, inf, -inf}) {
        CAPTURE(n);
        CAPTURE(bad);
        const Tensor x = rows_of(70, n, Dtype::float32);
        for (int64_t i = 0; i < n; ++i)
          if (i == n / 2 || bad == -inf) x.data<float>()[66 * n + i] = bad;
        const auto p = softmax(x, -1).to_vector<float>(), q = log_softmax(x, -1).to_vector<float>(),
                   lse = logsumexp(x, -1).to_vector<float>();
        int64_t wrong = 0;
        for (int64_t i = 0; i < 70 * n; ++i) {
          const auto at = static_cast<size_t>(i);
          wrong += std::isnan(p[at]) != (i / n == 66);
          wrong += std::isnan(q[at]) != (i / n == 66);
        }
        CHECK(wrong == 0);
        for (size_t row = 0; row < 70; ++row)
          if (row != 66) CHECK(std::isfinite(lse[row]));
        if (std::isnan(bad))
          CHECK(std::isnan(lse[66]));
        else
          CHECK(lse[66] == bad);
      }
  });
}
