#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cytograd/umap/neighbors.h"

/// @file
/// The weighted graph of UMAP (McInnes, Healy, Melville 2018): how strongly points belong together.

namespace cytograd::umap {

/// Per point: the distance that counts as zero, and the length by which membership falls off.
struct Scales {
  std::vector<float> rho, sigma;
};

/// rho: the `local_connectivity`-th smallest non-zero distance (interpolated for fractions), 0
/// where all are zero. sigma: such that sum over j = 1..k-1 of exp(-max(d_j - rho, 0) / sigma) =
/// log2(k), by bisection; at least 1e-3 of the mean distance of the row (of all rows where rho =
/// 0). Parallel; the same bits for any number of threads.
Scales smooth_scales(const Neighbors& neighbors, double local_connectivity = 1);

/// Sparse rows: row i has `weight[e]` at `column[e]`, begin[i] <= e < begin[i + 1]; columns rise
/// within a row and weights are positive.
struct Graph {
  int64_t rows = 0, columns = 0;
  std::vector<int64_t> begin;
  std::vector<int32_t> column;
  std::vector<float> weight;
  int64_t edges() const { return static_cast<int64_t>(weight.size()); }
  /// The weight at (i, j), 0 where there is no edge.
  float at(int64_t i, int64_t j) const;
};

/// Membership 1 where d <= rho, else exp(-(d - rho) / sigma); none of a point to itself unless
/// `points_are_others` (rows and columns are different points, as in a transform).
Graph membership(const Neighbors& neighbors, const Scales& scales, int64_t columns,
                 bool points_are_others = false);

/// mix (A + A' - A o A') + (1 - mix) A o A': symmetric. mix 1 is the fuzzy union, 0 the
/// intersection.
Graph fuzzy_union(const Graph& a, double mix = 1);

/// Supervision by class: every weight between points of different labels is multiplied by
/// exp(-2.5 / (1 - target_weight)), by exp(-1) where a label is -1 (unknown); then each row is
/// divided by its maximum and the union is taken again. @throws ShapeError unless there is one
/// label per row
Graph intersect_labels(const Graph& graph, std::span<const int64_t> labels, double target_weight);

/// Number of the connected component of each row, from 0 in order of the first row.
std::vector<int32_t> connected_components(const Graph& graph);

}  // namespace cytograd::umap
