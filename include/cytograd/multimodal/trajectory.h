#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/cluster/gene_curves.h"
#include "cytograd/gp/path.h"
#include "cytograd/multimodal/run.h"

/// @file
/// A path between kinds of cells through the joint latent space, and what is decoded along it;
/// docs/multimodal.md.

namespace cytograd::multimodal {

enum class PathKind {
  anchored,   ///< Gaussian process through cells of every station
  two_point,  ///< from one cell to another, zero prior mean (the published one)
  straight,   ///< from one cell to another, linear prior mean
};

struct TrajectoryOptions {
  /// Kinds of cells in order, two or more: classes of images, of RNA, names of the class map, or
  /// "cell:NAME". The latents of a station are those of its image cells, else of its RNA cells.
  std::vector<std::string> stations;
  PathKind kind = PathKind::anchored;
  std::string name = "";  ///< of the path; "": FIRST-to-LAST
  int64_t points = 100;   ///< T, 2 or more
  int64_t samples = 20;   ///< S, paths drawn for bands and drivers, 1 or more
  int64_t anchors = 20;   ///< cells per station
  int64_t clusters = 3;   ///< of genes; 0: chosen by silhouette
  /// Leave steps out whose genes change less, as `thinned_steps`; 0: off. Published: 0.0999 per
  /// 2,432 genes.
  double thin = 0;
  uint64_t seed = 0;
  bool force = false;                              ///< also for a run that warned of collapse
  gp::Optimizer optimizer = gp::Optimizer::lbfgs;  ///< that fits the kernel of anchored paths
};

/// How far a path is from the cells: percentile, among cells, of the distance to the 15-th nearest
/// cell. Above 99 is "outside the data".
struct Support {
  std::vector<double> image, rna;  ///< [T]
};

/// Of each point of the path [T, D] the share, in percent, of the cells [N, D] that are closer to
/// their own `k`-th nearest neighbour than the point is to its. Exact. With N <= k neighbours are
/// counted to N - 1; with N < 2 there is no measure: NaN.
/// @throws ShapeError; ValueError for values that are not finite, k < 1
std::vector<double> support_percentiles(const Tensor& cells, const Tensor& path, int64_t k = 15);

struct Trajectory {
  std::string name;
  std::vector<std::string> stations;
  std::vector<double> station_t;  ///< where each is on the path
  std::vector<double> t;          ///< [T], 0 to 1; fewer where steps were left out
  /// [T of the options]
  gp::Path path{{}, {}, {}, {}, {}, gp::constant(1), {}};
  Tensor mean;     ///< [T, 50] float32, the steps that are kept
  Tensor samples;  ///< [S, T, 50] float32, of these steps
  Tensor frames;   ///< [T, 128, 128, 3] decoded from the mean
  /// [T, 128, 128]: mean soft mask of the 15 image cells nearest; undefined, with a note, where the
  /// file of images is not there any more.
  Tensor masks;
  std::vector<std::string> genes;
  cluster::Curves expression;           ///< [genes, T], logarithms, of the mean
  cluster::Curves fold;                 ///< [genes, T], fold changes: by the mean over all steps
  cluster::Curves fold_low, fold_high;  ///< [genes, T], 5th and 95th percentile over the samples
  cluster::GeneClusters clusters;       ///< of `fold`
  Support support;
  std::vector<std::string> notes;  ///< what the user should know
};

/// A path with two stations, or several where it is anchored. Two-point and straight paths join
/// the named cells, or the medoids of the classes; a straight one has the mean of the variances
/// within the two classes. The same run and options give the same bits for any number of threads.
/// @throws DataError class.unknown for a station that is none (listing what there is),
/// class.missing for one without cells; DataError run.collapsed without `force`; ValueError for
/// options out of range; as gp::anchored_path and cluster::cluster_genes
Trajectory make_trajectory(const Run& run, const TrajectoryOptions& options);

/// Writes into `folder`, which exists: path.csv (t, latents and their deviations), expression.csv,
/// fold.csv, fold_low.csv and fold_high.csv (a gene per row, a step per column), clusters.csv,
/// support.csv, samples.csv unless it were larger than 5 MB, and frames.png (a strip of ten).
/// @return what the user should know   @throws FileError
std::vector<std::string> write_trajectory(const Trajectory& trajectory, const std::string& folder);

/// Writes every decoded frame, times its mask where there are masks, as PNG files `000.png`,
/// `001.png`, ... into `folder`, which is made, or emptied of such files.
/// @return their paths   @throws FileError
std::vector<std::string> write_frames(const Trajectory& trajectory, const std::string& folder);

}  // namespace cytograd::multimodal
