#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/cluster/kshape.h"

/// @file
/// Clusters of fold changes of genes along a path, and what they are called; docs/kshape.md.

namespace cytograd::cluster {

enum class Trend { flat, up, down, transient_peak, transient_dip };
/// "flat", "up", "down", "transient-peak", "transient-dip".
const char* name_of(Trend trend);

/// Mean of the last tenth of the points less that of the first tenth (at least one point each).
double rise(std::span<const double> curve);

/// Spearman's rank correlation of a curve with its index, ties with their mean rank; 0 for a
/// constant curve.
double rank_correlation_with_time(std::span<const double> curve);

/// The trend of a curve that is not normalised, R its range, D its rise, rho its rank correlation
/// with time: flat for R < 0.1; up for D >= R / 2 and rho >= 0.5; down for the opposite; else a
/// peak or a dip, by the sign of what is farthest from the first point.
Trend trend_of(std::span<const double> curve);

struct GeneClusterOptions {
  KShapeOptions shape = {};  ///< shape.k: number of clusters; 0: 2 to 6, by silhouette
  double flat_range = 0.05;  ///< genes with a smaller range are not clustered
};

struct GeneCluster {
  std::string name;  ///< of the trend of `mean`; "up-1", "up-2" by size where it repeats
  Trend trend = Trend::flat;
  std::vector<int64_t> members;     ///< rows, rising
  std::vector<double> mean;         ///< of the members' curves, not normalised
  std::vector<double> deviation;    ///< standard deviation there, divisor n
  std::vector<int64_t> discordant;  ///< members whose own rise contradicts `up` or `down`
};

struct GeneClusters {
  std::vector<int64_t> labels;  ///< per row: index into `clusters`, -1 for flat genes
  std::vector<GeneCluster> clusters;
  std::vector<int64_t> flat;  ///< rows that were not clustered
  std::vector<double>
      silhouettes;  ///< mean for k = 2, 3, ... where k was chosen, else of the one k
  double inertia = 0;
};

/// Clusters fold changes [genes, points]. All genes flat: no clusters.
/// @throws ValueError where k exceeds the number of genes that are not flat, and as `k_shape`
GeneClusters cluster_genes(const Curves& fold_changes, const GeneClusterOptions& options = {});

/// Rows that are not flat, which are those that `cluster_genes` clusters.
std::vector<int64_t> moving_genes(const Curves& fold_changes, double flat_range);

/// Fold changes: each row divided by its mean + 1e-10.
Curves fold_changes(const Curves& expression);

/// Steps of a path that are kept: i if the sum over genes of |f(i + 1) - f(i)| is above
/// `threshold`, and the last.
std::vector<int64_t> thinned_steps(const Curves& fold_changes, double threshold);

}  // namespace cytograd::cluster
