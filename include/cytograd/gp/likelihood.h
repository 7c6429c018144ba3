#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// The linear algebra of Gaussian processes, in float64 on any device
/// (docs/gaussian-processes.md).

namespace cytograd::gp {

/// L with L L^T = A + jitter I.
struct Factor {
  Tensor chol;        ///< [N, N], lower triangular
  double jitter = 0;  ///< what was added to the diagonal
};

/// The Cholesky factor of a covariance [N, N]. Where A alone has none, 1e-10, 1e-9, ..., 1e-4 times
/// the mean of its diagonal are added, the first that is enough. Not differentiable.
/// @throws ShapeError, DtypeError; ValueError if 1e-4 is not enough
Factor factor(const Tensor& covariance);

/// A^-1 b by two triangular solves. @param b [N, K]
Tensor solve(const Tensor& chol, const Tensor& b);

/// ln of the density of y under K independent Gaussian processes of one covariance A:
///   sum_k -1/2 y_k^T A^-1 y_k - K sum_i ln L_ii - (N K / 2) ln(2 pi).
/// Gradients: dA = 1/2 (alpha alpha^T - K A^-1) with alpha = A^-1 y, the one for changes that keep
/// A symmetric; dy = -alpha. Jitter is taken as a constant.
/// @param covariance [N, N] float64, noise included   @param y [N, K] float64   @return a scalar
/// @throws as `factor`
Tensor log_marginal_likelihood(const Tensor& covariance, const Tensor& y);

}  // namespace cytograd::gp
