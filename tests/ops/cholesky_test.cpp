#include "cytograd/ops/cholesky.h"

#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/shape.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::test;

namespace {

// x x^T + 4 I: positive definite.
Tensor definite(const Tensor& x) {
  const int64_t n = x.size(0);
  Tensor unit = Tensor::zeros({n, n}, x.dtype());
  for (int64_t i = 0; i < n; ++i) unit.as_strided({1}, {1}, i * (n + 1)).fill_(4);
  return matmul(x, transpose(x, 0, 1)) + unit.to(x.device());
}

Ref definite(const Ref& x) {
  const int64_t n = x.shape[0];
  Ref a({n, n});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      a({i, j}) = i == j ? 4 : 0;
      for (int64_t k = 0; k < x.shape[1]; ++k) a({i, j}) += x({i, k}) * x({j, k});
    }
  return a;
}

// Column by column (Cholesky-Banachiewicz).
Ref factor(const Ref& a) {
  const int64_t n = a.shape[0];
  Ref l({n, n});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double sum = a({i, j});
      for (int64_t k = 0; k < j; ++k) sum -= l({i, k}) * l({j, k});
      l({i, j}) = i == j ? std::sqrt(sum) : sum / l({j, j});
    }
  return l;
}

Ref solution(const Ref& l, const Ref& b, bool transposed) {
  const int64_t n = l.shape[0];
  Ref x = b;
  for (int64_t j = 0; j < b.shape[1]; ++j)
    for (int64_t step = 0; step < n; ++step) {
      const int64_t i = transposed ? n - 1 - step : step;
      for (int64_t k = 0; k < n; ++k) {
        if (transposed ? k <= i : k >= i) continue;
        x({i, j}) -= (transposed ? l({k, i}) : l({i, k})) * x({k, j});
      }
      x({i, j}) /= l({i, i});
    }
  return x;
}

}  // namespace

TEST_CASE("cholesky") {
  for (const int64_t n : {0, 1, 2, 7, 13}) {
    OpCase c;
    c.name = "cholesky " + std::to_string(n);
    c.inputs = {{{n, 3}}};
    c.op = [](const Tensors& in) { return cholesky(definite(in[0])); };
    c.reference = [](const std::vector<Ref>& in) { return factor(definite(in[0])); };
    c.float32_tolerance = 1e-5;
    c.float32_grad_tolerance = 1e-4;
    c.check_nan = false;  // a pivot that is NaN is refused
    check_op(c);
  }
}

TEST_CASE("triangular_solve") {
  for (const bool transposed : {false, true})
    for (const int64_t n : {1, 2, 7}) {
      OpCase c;
      c.name = "triangular_solve " + std::to_string(n) + (transposed ? " transposed" : "");
      // Diagonals between 1 and 2 in size; what lies above is not read.
      c.inputs = {{{n, n}, 1, 2}, {{n, 5}}};
      c.op = [=](const Tensors& in) { return triangular_solve(in[0], in[1], transposed); };
      c.reference = [=](const std::vector<Ref>& in) { return solution(in[0], in[1], transposed); };
      c.float32_tolerance = 1e-4;  // the systems amplify: up to 2^6 for n = 7
      c.float32_grad_tolerance = 1e-2;
      c.check_nan = false;  // what lies above the diagonal does not reach the result
      check_op(c);
    }
}

TEST_CASE("factors and solutions of several blocks") {
  for (const int64_t n : {63, 64, 65, 150}) {
    const Tensor x = Tensor::empty({n, 20}, Dtype::float64);
    for (int64_t i = 0; i < x.numel(); ++i)
      x.data<double>()[i] = std::sin(static_cast<double>(i * i % 1013));
    const Tensor a = definite(x), l = cholesky(a);
    const std::vector<double> back = (matmul(l, transpose(l, 0, 1)) - a).to_vector<double>();
    for (const double d : back) CHECK(std::abs(d) <= 1e-11);
    for (const bool transposed : {false, true}) {
      const Tensor y = triangular_solve(l, x, transposed);
      const Tensor again = matmul(transposed ? transpose(l, 0, 1) : l, y);
      for (const double d : (again - x).to_vector<double>()) CHECK(std::abs(d) <= 1e-12);
    }
  }
}

TEST_CASE("cholesky and triangular_solve refuse what they cannot do") {
  check_op_error<ShapeError>(
      [] {
        cholesky(Tensor::zeros({2, 3}));
      },
      "cholesky: the matrix expects [N, N], got [2, 3]");
  check_op_error<ValueError>(
      [] {
        cholesky(Tensor::zeros({2, 2}));
      },
      "cholesky: the matrix is not positive definite: pivot 0 is not positive; a larger diagonal "
      "may help");
  check_op_error<ShapeError>(
      [] {
        triangular_solve(Tensor::ones({2, 2}), Tensor::ones({3, 1}));
      },
      "triangular_solve: b expects [2, K], got [3, 1]");
  check_op_error<DtypeError>(
      [] {
        triangular_solve(Tensor::ones({2, 2}), Tensor::ones({2, 1}, Dtype::float64));
      },
      "triangular_solve: b expects float32, got float64");
}
