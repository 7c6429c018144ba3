#pragma once

#include <cstdint>
#include <vector>

/// @file
/// Nearest neighbours by Euclidean distance, the first step of UMAP (docs/umap.md).

namespace cytograd::umap {

/// Row-major [rows, columns] of float32, not owned. Values are finite.
struct Points {
  const float* data = nullptr;
  int64_t rows = 0, columns = 0;
  const float* row(int64_t i) const { return data + i * columns; }
};

/// The k nearest points of each row, nearest first: [rows, k], row-major.
struct Neighbors {
  int64_t rows = 0, k = 0;
  std::vector<int32_t> index;
  std::vector<float> distance;
};

/// The k nearest points of every point, itself included: it comes first with distance 0, whatever
/// duplicates it has; then distances rise, the lower index first where they are equal.
///
/// Distances of a block of rows to a block of points are one matrix product; the candidates it
/// finds are measured again coordinate by coordinate. A row where the rounding of the product could
/// have hidden a neighbour is searched directly, so the result is exact. Memory: O(N (k +
/// columns)). The same bits for any number of threads. @throws ValueError unless 1 <= k <= N and N
/// fits int32
Neighbors exact_neighbors(const Points& points, int64_t k);

/// The same from each query to the k nearest of `points`; no row is left out or put first.
/// @throws ShapeError if the columns differ
Neighbors exact_neighbors(const Points& points, const Points& queries, int64_t k);

/// Euclidean distance, summed in float64.
float distance(const float* a, const float* b, int64_t columns);

/// Settings of the approximate search: a hierarchical navigable small-world graph (Malkov and
/// Yashunin 2018), by the library hnswlib.
struct ApproximateOptions {
  int64_t links = 24;         ///< edges per point in the search graph
  int64_t build_width = 200;  ///< candidates followed when a point is added
  int64_t search_width = 0;   ///< candidates followed when searching; 0: max(100, 4 k)
};

/// Whether this build has the library (Debian: libhnswlib-dev).
bool has_approximate_neighbors();
/// As `exact_neighbors`, but some neighbours may be missed and replaced by farther ones; distances
/// are exact. The search graph is built by one thread, so that results do not depend on timing.
/// @throws StateError if this build has no such library
Neighbors approximate_neighbors(const Points& points, int64_t k,
                                const ApproximateOptions& options = {});
Neighbors approximate_neighbors(const Points& points, const Points& queries, int64_t k,
                                const ApproximateOptions& options = {});

}  // namespace cytograd::umap
