#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/manhattan_distance.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"

/// @file
/// Losses that place embeddings by a guide (docs/losses/guided.md). Scalars, differentiable by the
/// embeddings; sign(0) = 0 everywhere. A NaN embedding gives a NaN loss.

namespace cytograd::losses {

namespace detail {

inline void check_embeddings(const char* op, const Tensor& embeddings, const Tensor& labels) {
  check<ShapeError>(embeddings.ndim() == 2 && embeddings.size(0) >= 1 && labels.ndim() == 1 &&
                        labels.size(0) == embeddings.size(0),
                    op, "expects embeddings [B, n] and labels [B], got ", embeddings.shape(),
                    " and ", labels.shape());
}

}  // namespace detail

/// What the summed deviations of a batch are divided by.
enum class GuideReduction {
  distance,     ///< B: the mean Manhattan distance
  elementwise,  ///< B m: half of that for a guide of the plane
};

/// (1/B) sum_i |p_i - e_{y_i}|_1 over the first m components, m being the guide's; those beyond are
/// free. With the points of the plane this is the guide2D loss, with e_nD the guideUMAP loss. The
/// guide is a constant. Gradient sign(p_ik - e_ik) / B.
/// @param embeddings [B, n]   @param labels [B] int64   @param guide [C, m], same dtype
/// @throws ShapeError naming both lengths unless 2 <= m <= n; ValueError for a label >= C
inline Tensor guide_distance(const Tensor& embeddings, const Tensor& labels, const Tensor& guide,
                             GuideReduction reduction = GuideReduction::distance) {
  constexpr const char* op = "guide_distance";
  detail::check_embeddings(op, embeddings, labels);
  check<ShapeError>(guide.ndim() == 2 && guide.size(1) >= 2 && embeddings.size(1) >= guide.size(1),
                    op, "expects a guide [C, m] with 2 <= m <= n, got guide ", guide.shape(),
                    " for embeddings ", embeddings.shape());
  const int64_t m = guide.size(1);
  const Tensor targets = index_select(guide.detach(), 0, labels);
  double divisor = static_cast<double>(embeddings.size(0));
  if (reduction == GuideReduction::elementwise) divisor *= static_cast<double>(m);
  return sum(abs(slice(embeddings, 1, 0, m) - targets)) * (1 / divisor);
}

/// Manhattan distances of all classes of a guide: [C, m] -> [C, C].
inline Tensor guide_table(const Tensor& guide) {
  const Tensor g = guide.detach();
  return manhattan_distance(g, g);
}

/// 2 / (B (B - 1)) sum_{i > j} | |p_i - p_j|_1 - G_{y_i y_j} |: distances of embeddings as those of
/// their guide points. Of a single sample it is 0 with gradient 0. Unchanged by shifting, permuting
/// and mirroring components, not by rotation. Coincident predictions with different targets have no
/// gradient between them.
/// @param table [C, C], from `guide_table`
inline Tensor distance_loss(const Tensor& embeddings, const Tensor& labels, const Tensor& table) {
  constexpr const char* op = "distance_loss";
  detail::check_embeddings(op, embeddings, labels);
  check<ShapeError>(table.ndim() == 2 && table.size(0) == table.size(1), op,
                    "expects a table [C, C], got ", table.shape());
  const int64_t b = embeddings.size(0);
  if (b == 1) return sum(embeddings) * 0.0;
  // The diagonal is 0 on both sides, so the sum over ordered pairs is twice the one above.
  const Tensor targets = index_select(index_select(table.detach(), 0, labels), 1, labels);
  const Tensor distances = manhattan_distance(embeddings, embeddings);
  return sum(abs(distances - targets)) * (1 / static_cast<double>(b * (b - 1)));
}

/// (1/B) sum_i |p_i|_2^power: what keeps components small that no other term holds. Where p_i = 0
/// its gradient is 0. Usually weighed by 0.001.
/// @throws ValueError unless power is 1 or 2
inline Tensor norm_term(const Tensor& embeddings, int64_t power = 1) {
  constexpr const char* op = "norm_term";
  check<ShapeError>(embeddings.ndim() == 2 && embeddings.size(0) >= 1, op,
                    "expects embeddings [B, n], got ", embeddings.shape());
  check<ValueError>(power == 1 || power == 2, op, "power expects 1 or 2, got ", power);
  const double share = 1 / static_cast<double>(embeddings.size(0));
  return power == 1 ? sum(norm(embeddings, 1)) * share : sum(square(embeddings)) * share;
}

}  // namespace cytograd::losses
