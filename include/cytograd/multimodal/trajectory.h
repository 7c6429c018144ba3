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
  int64_t points = 100;   ///< T
  int64_t samples = 20;   ///< S, paths drawn for bands and drivers
  int64_t anchors = 20;   ///< cells per station
  int64_t clusters = 3;   ///< of genes; 0: chosen by silhouette
  double thin = 0;        ///< leave steps out whose genes change less, as `thinned_steps`; 0: off
  uint64_t seed = 0;
  bool force = false;  ///< also for a run that warned of collapse
};

/// How far a path is from the cells: percentile, among cells, of the distance to the 15-th nearest
/// cell. Above 99 is "outside the data".
struct Support {
  std::vector<double> image, rna;  ///< [T]
};

struct Trajectory {
  std::string name;
  std::vector<std::string> stations;
  std::vector<double> station_t;  ///< where each is on the path
  std::vector<double> t;          ///< [T], 0 to 1; fewer where steps were left out
  gp::Path path;                  ///< [T of the options]
  Tensor mean;                    ///< [T, 50] float32, the kept steps
  Tensor samples;                 ///< [S, T, 50] float32, of these steps
  Tensor frames;                  ///< [T, 128, 128, 3] decoded from the mean
  Tensor masks;                   ///< [T, 128, 128]: mean soft mask of the image cells nearest
  std::vector<std::string> genes;
  cluster::Curves expression;           ///< [genes, T], logarithms, of the mean
  cluster::Curves fold;                 ///< [genes, T], fold changes of these
  cluster::Curves fold_low, fold_high;  ///< [genes, T], 5th and 95th percentile over the samples
  cluster::GeneClusters clusters;       ///< of `fold`
  Support support;
  std::vector<std::string> notes;  ///< what the user should know
};

/// @throws DataError class.unknown for a station that is none (listing what there is),
/// class.missing for one without cells; StateError run.collapsed without `force`; as
/// gp::anchored_path and cluster::cluster_genes
Trajectory make_trajectory(const Run& run, const TrajectoryOptions& options);

/// Writes path.csv, expression.csv, fold.csv, clusters.csv, support.csv and frames.png (a strip)
/// into `folder`, which exists. @throws FileError
void write_trajectory(const Trajectory& trajectory, const std::string& folder);

}  // namespace cytograd::multimodal
