#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"

namespace cytograd::losses {

/// Divergence of N(mu, exp(log_var)) from N(0, 1), summed over the dimensions of the latent space
/// and averaged over the batch:
///   (1/B) sum_b 1/2 sum_k (mu^2 + expm1(log_var) - log_var).
/// expm1 keeps it exact, and never negative, where the variance is near 1. Gradients: mu / B and
/// expm1(log_var) / (2 B).
/// @param mu, log_var  [B, D], one floating dtype   @return a scalar
/// @throws ShapeError unless both are [B, D] with B >= 1
inline Tensor gaussian_kl(const Tensor& mu, const Tensor& log_var) {
  check<ShapeError>(mu.ndim() == 2 && mu.size(0) >= 1 && mu.shape() == log_var.shape(),
                    "gaussian_kl", "expects mu and log_var of one shape [B, D], got ", mu.shape(),
                    " and ", log_var.shape());
  const Tensor terms = square(mu) + expm1(log_var) - log_var;
  return sum(terms) * (0.5 / static_cast<double>(mu.size(0)));
}

}  // namespace cytograd::losses
