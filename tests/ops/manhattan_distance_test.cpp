#include "cytograd/ops/manhattan_distance.h"

#include <cmath>

#include "cytograd/core/cpu.h"
#include "cytograd/core/parallel.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

Ref reference(const std::vector<Ref>& in) {
  const Ref &x = in[0], &y = in[1];
  Ref d({x.shape[0], y.shape[0]});
  for (int64_t i = 0; i < x.shape[0]; ++i)
    for (int64_t j = 0; j < y.shape[0]; ++j)
      for (int64_t k = 0; k < x.shape[1]; ++k) d({i, j}) += std::abs(x({i, k}) - y({j, k}));
  return d;
}

}  // namespace

TEST_CASE("manhattan_distance") {
  struct Sizes {
    int64_t n, m, d;
  };
  for (const auto& [n, m, d] :
       {Sizes{1, 1, 1}, {5, 3, 2}, {13, 17, 7}, {0, 3, 2}, {3, 0, 2}, {9, 4, 64}, {3, 5, 67}})
    check_op(
        {.name = "manhattan_distance " + std::to_string(n) + "x" + std::to_string(m) + "x" +
                 std::to_string(d),
         .inputs = {{.shape = {n, d}, .low = 0, .high = 1}, {.shape = {m, d}, .low = 2, .high = 3}},
         .op = [](const Tensors& in) { return manhattan_distance(in[0], in[1]); },
         .reference = reference});
}

TEST_CASE("manhattan_distance of a set to itself: every instruction set, any number of threads") {
  const int64_t n = 37, width = 1061;
  const auto values = random_values<float>("rows", n * width);
  for_each_isa([&](const std::string& isa) {
    CAPTURE(isa);
    CHECK(same_for_any_threads([&] {
      const Tensor x = Tensor::from(values, {n, width});
      x.set_requires_grad(true);
      const Tensor d = manhattan_distance(x, x);
      d.backward(Tensor::from(random_values<float>("dd", n * n), {n, n}));
      auto out = d.to_vector<float>();
      const auto dx = x.grad().to_vector<float>();
      out.insert(out.end(), dx.begin(), dx.end());
      return out;
    }));
    const Tensor x = Tensor::from(values, {n, width});
    const auto d = manhattan_distance(x, x).to_vector<float>();
    const auto apart = manhattan_distance(x, x.clone()).to_vector<float>();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        Sum sum;
        for (int64_t k = 0; k < width; ++k)
          sum.add(std::abs(static_cast<double>(values[static_cast<size_t>(i * width + k)]) -
                           values[static_cast<size_t>(j * width + k)]));
        const float value = d[static_cast<size_t>(i * n + j)];
        CHECK(sum.close_to(value));
        CHECK(value == d[static_cast<size_t>(j * n + i)]);
        CHECK(value == doctest::Approx(apart[static_cast<size_t>(i * n + j)]).epsilon(1e-6));
      }
  });
}

TEST_CASE("manhattan_distance: equal components have no gradient") {
  const Tensor x = Tensor::from<double>({1, 2, 1, 5, 0, 2}, {3, 2});
  x.set_requires_grad(true);
  const Tensor weights = Tensor::from<double>({0, 1, 1, 0, 0, 1, 0, 0, 0}, {3, 3});
  manhattan_distance(x, x).backward(weights);
  // Pairs (0,1): components equal, 2 < 5; (0,2): 1 > 0, equal; (1,2): 1 > 0, 5 > 2.
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, -1, 1, 2, -2, -1});
  const Tensor nan = Tensor::full({2, 3}, NAN);
  CHECK(std::isnan(manhattan_distance(nan, nan).to_vector<float>()[0]));
}

TEST_CASE("manhattan_distance refuses") {
  check_op_error<ShapeError>(
      [] {
        manhattan_distance(Tensor::zeros({2, 3}), Tensor::zeros({2, 4}));
      },
      "manhattan_distance: expects [N, D] and [M, D], got [2, 3] and [2, 4]");
  check_op_error<DtypeError>(
      [] {
        manhattan_distance(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}, Dtype::float64));
      },
      "manhattan_distance: expects one dtype, got float32 and float64");
}
