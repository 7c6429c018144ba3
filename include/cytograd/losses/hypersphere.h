#pragma once

#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

/// @file
/// Embeddings on the unit sphere, and how they lie there: what self-supervised training is watched
/// by (Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and
/// Uniformity on the Hypersphere", 2020; docs/losses/contrastive.md). float32 and float64.

namespace cytograd::losses {

/// Rows divided by their Euclidean length (by 1e-12 where it is below). A row of zeros stays one
/// and has gradient 0; NaN gives NaN. @param z [N, D] @return [N, D]
inline Tensor unit_rows(const Tensor& z) {
  check<ShapeError>(z.ndim() == 2, "unit_rows", "expects embeddings [N, D], got ", z.shape());
  const Tensor length = norm(z, 1, true);
  // 0 where a row is zero, else 1. Twice, because the smallest float is 1e-45.
  const Tensor counted = clamp(clamp(length.detach() * 1e38, 0, 1) * 1e38, 0, 1);
  return z / clamp(length, 1e-12, std::numeric_limits<double>::infinity()) * counted;
}

namespace detail {

/// [n, n]: 0 beside the diagonal and, on it, a value that no logit lifts: exp of the sum is 0.
/// Made where `like` is, without a copy from the host.
inline Tensor hidden_diagonal(int64_t n, const Tensor& like) {
  const Tensor out = Tensor::zeros({n, n}, like.dtype(), like.device());
  out.as_strided({n}, {n + 1}, 0).fill_(-1e9);
  return out;
}

inline void check_views(const char* op, const Tensor& a, const Tensor& b) {
  check<ShapeError>(a.ndim() == 2 && a.shape() == b.shape(), op,
                    "expects two views of one shape [N, D], got ", a.shape(), " and ", b.shape());
}

}  // namespace detail

/// Mean squared distance of the two views of an image, |u_i - v_i|^2 of unit rows: 0 if they fall
/// together, 2 for directions at random, 4 at most.
/// @param a, b [N, D], N >= 1; row i of both shows image i   @return a scalar
inline Tensor alignment(const Tensor& a, const Tensor& b) {
  detail::check_views("alignment", a, b);
  check<ValueError>(a.size(0) >= 1, "alignment", "needs one image or more");
  return mean(sum(square(unit_rows(a) - unit_rows(b)), 1));
}

/// log of the mean of exp(-2 |u_i - u_j|^2) over all pairs of different rows: 0 if all embeddings
/// fall together, about -4 + 8/D for directions at random, lower the more evenly they cover the
/// sphere.
/// @param z [N, D], N >= 2   @return a scalar
/// @throws ShapeError; ValueError for fewer than two rows
inline Tensor uniformity(const Tensor& z) {
  check<ShapeError>(z.ndim() == 2, "uniformity", "expects embeddings [N, D], got ", z.shape());
  const int64_t n = z.size(0);
  check<ValueError>(n >= 2, "uniformity", "needs two rows or more, got ", n);
  const Tensor u = unit_rows(z);
  const Tensor cosine = matmul(u, transpose(u, 0, 1));
  // -2 |u_i - u_j|^2 = 4 cos - 4
  const Tensor pairs = cosine * 4.0 - 4.0 + detail::hidden_diagonal(n, z);
  return logsumexp(reshape(pairs, {n * n}), 0) - std::log(static_cast<double>(n * (n - 1)));
}

/// Standard deviation of the components of unit rows, times the square root of D: 1 if they spread
/// evenly over all directions, 0 if they have collapsed to one point.
/// @param z [N, D], N >= 2   @return a scalar   @throws as uniformity
inline Tensor spread(const Tensor& z) {
  check<ShapeError>(z.ndim() == 2, "spread", "expects embeddings [N, D], got ", z.shape());
  check<ValueError>(z.size(0) >= 2, "spread", "needs two rows or more, got ", z.size(0));
  return mean(sqrt(var(unit_rows(z), 0))) * std::sqrt(static_cast<double>(z.size(1)));
}

}  // namespace cytograd::losses
