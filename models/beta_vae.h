#pragma once

#include <utility>

#include "cytograd/nn/linear.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/random_normal.h"
#include "cytograd/ops/shape.h"

/// @file
/// What the image and the RNA variational autoencoder share (Kingma and Welling 2014; the factor
/// beta on the divergence: Higgins et al. 2017).

namespace cytograd::models {

/// A diagonal Gaussian per sample: mu and log_var, the logarithm of the variance, both [B, D].
struct Posterior {
  Tensor mu, log_var;
};

/// Splits a head's result [B, 2 D] into mu, its first half, and log_var, clamped to [-10, 10] with
/// slope 0 outside, before anything uses it.
inline Posterior posterior_of(const Tensor& head) {
  const int64_t width = head.size(1) / 2;
  return {slice(head, 1, 0, width), clamp(slice(head, 1, width, 2 * width), -10, 10)};
}

/// z = mu + exp(log_var / 2) epsilon.
/// @param epsilon  [B, D]; if undefined it is drawn from the RandomScope of this thread
/// @throws StateError if it is to be drawn outside a RandomScope
inline Tensor sample(const Posterior& posterior, const Tensor& epsilon = {}) {
  // float32 where mu and log_var are bfloat16.
  const Tensor deviation = exp(posterior.log_var * 0.5);
  const Tensor noise =
      epsilon.defined() ? epsilon
                        : random_normal(deviation.shape(), deviation.dtype(), deviation.device());
  return posterior.mu + deviation * noise;
}

}  // namespace cytograd::models
