#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/cluster/curves.h"

/// @file
/// Clusters of curves by shape (Paparrizos and Gravano 2015) and, for comparison, k-means;
/// docs/kshape.md. The same options and data give the same bits for any number of threads.

namespace cytograd::cluster {

/// What becomes of a cluster that no curve is nearest to.
enum class EmptyCluster {
  reseed,   ///< it gets the curve that is farthest from its centroid, of a cluster of two or more
  restart,  ///< the start is thrown away, at most 10 of them; then StateError
};

struct KShapeOptions {
  int64_t k = 3;
  int64_t starts = 10;  ///< the one of least inertia wins, of equals the first
  int64_t max_iterations = 100;
  double tolerance = 1e-6;  ///< change of inertia at which a start ends
  EmptyCluster empty = EmptyCluster::reseed;
  uint64_t seed = 0;
  std::vector<int64_t> initial = {};  ///< k rows whose curves are the first centroids: one start
};

struct Clusters {
  std::vector<int64_t> labels;  ///< per row, 0 .. k - 1
  Curves centroids;             ///< [k, length]
  /// k-shape: mean of the squared distances to the own centroid. k-means: their sum.
  double inertia = 0;
  std::vector<double> history;  ///< inertia after each assignment of the winning start
  int64_t iterations = 0;       ///< updates of the centroids in the winning start
};

/// @param curves  z-normalised rows (`z_normalised`)
/// @throws ShapeError, ValueError for curves (`check_curves`) and unless 1 <= k <= rows, starts and
/// max_iterations >= 1, and `initial` is empty or k different rows; StateError where every start
/// had an empty cluster under EmptyCluster::restart
Clusters k_shape(const Curves& curves, const KShapeOptions& options = {});

struct KMeansOptions {
  int64_t k = 3;
  int64_t starts = 10;  ///< drawn by k-means++ (Arthur and Vassilvitskii 2007)
  int64_t max_iterations = 300;
  uint64_t seed = 0;
  std::vector<int64_t> initial = {};  ///< as of KShapeOptions
};

/// Lloyd's iteration by Euclidean distance until no label changes; a cluster that lost its curves
/// is reseeded as by EmptyCluster::reseed. @throws as `k_shape`
Clusters k_means(const Curves& curves, const KMeansOptions& options = {});

/// Silhouettes (Rousseeuw 1987) by shape-based distance, averaged over curves: (b - a) / max(a, b),
/// a the mean distance to the others of the own cluster, b the least mean distance to another
/// cluster; 0 for a curve alone in its cluster. One pass over all pairs serves several labellings.
/// @param labelings  each one label >= 0 per row   @return one mean per labelling
/// @throws ShapeError; ValueError for negative labels or fewer than two clusters
std::vector<double> shape_silhouettes(const Curves& curves,
                                      const std::vector<std::vector<int64_t>>& labelings);

}  // namespace cytograd::cluster
