#pragma once

#include "cytograd/losses/hypersphere.h"

namespace cytograd::losses {

/// NT-Xent, the loss of SimCLR (Chen et al., "A Simple Framework for Contrastive Learning of Visual
/// Representations", 2020, equation 1): each view finds the other view of its image among all
/// others of the batch. With the 2N unit rows u of both views and s_ij = u_i . u_j / temperature,
///   l_i = -s_ip + log sum_{k != i} exp(s_ik),
/// p the other view of i; the mean over all 2N rows. The products of all pairs are one matmul; the
/// own row is taken out of the sum by a constant on the diagonal, and the sum is shifted by its
/// largest term. Equal views of distinct images at right angles give log(1 + (2N-2) e^(-1/T)), a
/// collapsed batch log(2N-1).
///
/// Only the directions of rows count: their gradients are at right angles to them. A row of zeros
/// has cosine 0 with all others and gradient 0. NaN in gives NaN out. Deterministic.
/// @param a, b [N, D], float32 or float64, N >= 2; row i of both shows image i   @return a scalar
/// @throws ShapeError unless both have one shape [N, D]; ValueError for N < 2, since one image has
/// no others to be told from, or a temperature that is not above 0
inline Tensor nt_xent(const Tensor& a, const Tensor& b, double temperature = 0.5) {
  detail::check_views("nt_xent", a, b);
  check<ValueError>(temperature >= 1e-6 && temperature <= 1e6, "nt_xent",
                    "temperature expects 1e-6..1e6, got ", temperature);
  const int64_t n = a.size(0);
  check<ValueError>(n >= 2, "nt_xent", "needs two images or more to tell apart, got ", n);
  const Tensor u = concat({unit_rows(a), unit_rows(b)}, 0);  // [2N, D]
  const Tensor similarity = matmul(u, transpose(u, 0, 1)) * (1 / temperature);
  const Tensor others = logsumexp(similarity + detail::hidden_diagonal(2 * n, u), 1);  // [2N]
  // Both views of an image have the same one.
  const Tensor positive = sum(slice(u, 0, 0, n) * slice(u, 0, n, 2 * n), 1) * (1 / temperature);
  return mean(others) - mean(positive);
}

}  // namespace cytograd::losses
