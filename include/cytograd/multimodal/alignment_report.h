#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/multimodal/run.h"

/// @file
/// How well the image cells of a class lie among its RNA cells; docs/multimodal.md.

namespace cytograd::multimodal {

/// A class that both sides know. Distances, MMD and mixing are NaN where a side has fewer than two
/// cells; the transfer where it has no image cell.
struct ClassAlignmentRow {
  std::string name;
  int64_t image = 0, rna = 0;      ///< cells
  double mean_distance = 0;        ///< Euclidean, between the means of mu
  double covariance_distance = 0;  ///< Frobenius, between the covariances of mu, divisor n - 1
  double spread = 0;               ///< root of the trace of the RNA covariance: the scale
  double mmd = 0;                  ///< squared, unbiased, as `losses::kernel_mmd`
  /// Share of the other modality among the nearest neighbours over what chance gives, the mean over
  /// the cells of both sides: 1 well mixed, 0 apart.
  double mixing = 0;
  double transfer = 0, chance = 0;  ///< share of its image cells that RNA labels name rightly
};

struct AlignmentReport {
  std::vector<ClassAlignmentRow> classes;
  double transfer = 0;  ///< of all image cells of mapped classes
  double chance = 0;    ///< of labels drawn as the RNA cells have them
  std::vector<std::string> notes;
};

struct AlignmentReportOptions {
  int64_t neighbors = 15;
  int64_t most_cells =
      5000;  ///< per class and modality for neighbours and MMD; more are drawn from
  uint64_t seed = 0;
};

/// Of mu, in float64; the same bits for any number of threads. A label is transferred to an image
/// cell by the majority of its nearest RNA cells, in a tie by the nearest cell among those tied.
/// @throws ShapeError if the sides differ in width, or labels do not fit; DataError nan for latents
/// that are not finite; ValueError for neighbors < 1 or most_cells < 2
AlignmentReport report_alignment(const LatentCells& image, const LatentCells& rna,
                                 const ClassMap& map, const AlignmentReportOptions& options = {});

/// Unbiased squared MMD of x [n, D] and y [m, D], as `losses::kernel_mmd`, without its [n + m,
/// n + m] matrices: memory O(n + m). NaN for fewer than two rows on a side.
double unbiased_mmd(const Tensor& x, const Tensor& y);

}  // namespace cytograd::multimodal
