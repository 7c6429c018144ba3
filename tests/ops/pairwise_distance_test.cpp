#include "cytograd/ops/pairwise_distance.h"

#include <cmath>

#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

Ref reference(const std::vector<Ref>& in) {
  const Ref &x = in[0], &y = in[1];
  Ref d({x.shape[0], y.shape[0]});
  for (int64_t i = 0; i < x.shape[0]; ++i)
    for (int64_t j = 0; j < y.shape[0]; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < x.shape[1]; ++k) sum += std::pow(x({i, k}) - y({j, k}), 2);
      d({i, j}) = std::sqrt(sum);
    }
  return d;
}

}  // namespace

TEST_CASE("pairwise_distance") {
  struct Sizes {
    int64_t n, m, d;
  };
  for (const auto& [n, m, d] :
       {Sizes{1, 1, 1}, {5, 3, 2}, {13, 17, 7}, {0, 3, 2}, {3, 0, 2}, {9, 4, 64}})
    check_op(
        {.name = "pairwise_distance " + std::to_string(n) + "x" + std::to_string(m) + "x" +
                 std::to_string(d),
         .inputs = {{.shape = {n, d}, .low = 0, .high = 1}, {.shape = {m, d}, .low = 2, .high = 3}},
         .op = [](const Tensors& in) { return pairwise_distance(in[0], in[1]); },
         .reference = reference});
}

TEST_CASE(
    "pairwise_distance of a set to itself: zero gradient at zero distance, close points keep "
    "digits") {
  const Tensor x = Tensor::from<float>({1000.f, 1000.001f, 1000.f}, {3, 1});
  x.set_requires_grad(true);
  const Tensor d = pairwise_distance(x, x);
  CHECK(d.to_vector<float>()[1] == doctest::Approx(1000.001f - 1000.f).epsilon(1e-6));
  d.backward(Tensor::ones({3, 3}));
  // Row 1 is 0.001 to the right of both others and appears as x and as y: 2 * 2.
  CHECK(x.grad().to_vector<float>() == std::vector<float>{-2, 4, -2});
}

TEST_CASE("pairwise_distance refuses") {
  check_op_error<ShapeError>(
      [] {
        pairwise_distance(Tensor::zeros({2, 3}), Tensor::zeros({2, 4}));
      },
      "pairwise_distance: expects [N, D] and [M, D], got [2, 3] and [2, 4]");
  check_op_error<DtypeError>(
      [] {
        pairwise_distance(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}, Dtype::float64));
      },
      "pairwise_distance: expects one dtype, got float32 and float64");
}
