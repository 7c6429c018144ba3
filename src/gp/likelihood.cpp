#include "cytograd/gp/likelihood.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cytograd/autograd/record.h"
#include "cytograd/ops/cholesky.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "gp/diagonal.h"

namespace cytograd::gp {
namespace {

void check_covariance(const char* op, const Tensor& a) {
  check<ShapeError>(a.ndim() == 2 && a.size(0) == a.size(1) && a.size(0) >= 1, op,
                    "the covariance expects [N, N] with N >= 1, got ", a.shape());
  check<DtypeError>(a.dtype() == Dtype::float64, op, "the covariance expects float64, got ",
                    a.dtype());
}

// The factor, or undefined. Operations on a device do not say that they failed: the result is NaN.
Tensor attempt(const Tensor& a) {
  Tensor l;
  try {
    l = cholesky(a);
  } catch (const ValueError&) {
    return {};
  }
  return std::isfinite(sum(diagonal(l)).item()) ? l : Tensor{};
}

// A^-1 = M^T M with M = L^-1. Both are made in blocks of rows or columns, without the products with
// the zeros of a triangle: a sixth of N^3 multiply-adds each, where two solves with I take a half.
Tensor inverse_of(const Tensor& l) {
  constexpr int64_t block = 128;
  const int64_t n = l.size(0);
  const Tensor m = Tensor::zeros({n, n}, Dtype::float64, l.device());
  for (int64_t first = 0; first < n; first += block) {
    const int64_t width = std::min(block, n - first), rows = n - first;
    const Tensor below = slice(slice(l, 0, first, n), 1, first, n).contiguous();
    const Tensor unit = Tensor::zeros({rows, width}, Dtype::float64, l.device());
    unit.as_strided({width}, {width + 1}, unit.offset()).fill_(1);
    m.as_strided({rows, width}, {n, 1}, m.offset() + first * (n + 1))
        .copy_(triangular_solve(below, unit));
  }
  const Tensor out = Tensor::empty({n, n}, Dtype::float64, l.device());
  for (int64_t first = 0; first < n; first += block) {
    const int64_t end = std::min(n, first + block), width = end - first;
    const Tensor below = slice(m, 0, first, n);
    const Tensor rows =
        matmul(transpose(slice(below, 1, first, end), 0, 1), slice(below, 1, 0, end));
    out.as_strided({width, end}, {n, 1}, out.offset() + first * n).copy_(rows);
    if (first > 0)
      out.as_strided({first, width}, {n, 1}, out.offset() + first)
          .copy_(transpose(slice(rows, 1, 0, first), 0, 1));
  }
  return out;
}

}  // namespace

Factor factor(const Tensor& covariance) {
  check_covariance("factor", covariance);
  const NoGrad no_grad;
  const Tensor a = covariance.detach().contiguous();
  if (const Tensor l = attempt(a); l.defined()) return {l, 0};
  const double scale = mean(diagonal(a)).item();
  for (const double share : {1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4}) {
    const double jitter = share * scale;
    const Tensor l = attempt(a + identity(a.size(0), a.device()) * jitter);
    if (l.defined()) return {l, jitter};
  }
  throw ValueError(
      "factor: expected a positive definite covariance, got one that is not with 1e-4 of its mean "
      "variance added; more noise, or other lengthscales, may help");
}

Tensor solve(const Tensor& chol, const Tensor& b) {
  return triangular_solve(chol, triangular_solve(chol, b), true);
}

Tensor log_marginal_likelihood(const Tensor& covariance, const Tensor& y) {
  constexpr const char* op = "log_marginal_likelihood";
  check_covariance(op, covariance);
  check<ShapeError>(y.ndim() == 2 && y.size(0) == covariance.size(0), op, "y expects [",
                    covariance.size(0), ", K], got ", y.shape());
  check<DtypeError>(y.dtype() == Dtype::float64, op, "y expects float64, got ", y.dtype());
  check<DeviceError>(y.device() == covariance.device(), op, "y expects ", covariance.device(),
                     ", got ", y.device());
  Tensor chol, alpha, value;
  {
    const NoGrad no_grad;
    chol = factor(covariance).chol;
    alpha = solve(chol, y.detach());
    const auto n = static_cast<double>(y.size(0)), k = static_cast<double>(y.size(1));
    value = sum(y.detach() * alpha) * -0.5 - sum(log(diagonal(chol))) * k -
            n * k / 2 * std::log(2 * std::numbers::pi);
  }
  return record(op, {covariance, y}, value, Saved{chol, alpha},
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor &l = back.saved[0], &a = back.saved[1];
                  Grads grads(2);
                  if (back.needs(0)) {
                    const Tensor outer = matmul(a, transpose(a, 0, 1));
                    grads[0] =
                        (outer - inverse_of(l) * static_cast<double>(a.size(1))) * (dy * 0.5);
                  }
                  if (back.needs(1)) grads[1] = a * (dy * -1.0);
                  return grads;
                });
}

}  // namespace cytograd::gp
