#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/multimodal/trajectory.h"

/// @file
/// Whether a path passes the stages of a maturation in their order; docs/multimodal.md.

namespace cytograd::multimodal {

/// Where stages are on a path.
struct StageOrder {
  std::vector<std::string> stages;  ///< in the order expected
  cluster::Curves shares;           ///< [stages, T], 0 to 1
  /// Median of the t at which the share of a stage is largest; NaN where it is 0 all along.
  std::vector<double> peak_t;
  /// Rank correlation of the place in `stages` with `peak_t` over stages that occur; NaN for fewer
  /// than two of them.
  double spearman = 0;
  /// Pairs of stages, the earlier first, that the path passes the other way round.
  std::vector<std::pair<int64_t, int64_t>> inversions;
  /// Whether all occur, each with its largest share after that of the one before.
  bool in_order() const;
};

/// @throws ShapeError unless there is a row of shares per stage and a column per t
StageOrder stage_order(std::vector<std::string> stages, const std::vector<double>& t,
                       cluster::Curves shares);

/// The shares that stages, each a list of image classes, have of the `k` image cells with a label
/// that are nearest to each point of a path [T, 50]. @return [stages, T]
/// @throws DataError class.unknown for a class, class.missing where no cell has a label
cluster::Curves stage_votes(const LatentCells& cells, const Tensor& path,
                            const std::vector<std::vector<std::string>>& stages, int64_t k = 15);

struct StageReport {
  StageOrder votes;                      ///< of the nearest image cells in the latent space
  std::optional<StageOrder> classified;  ///< of a classifier of images on the decoded frames
};

/// @param stages  image classes or names of the class map, in the order expected
/// @param probabilities  of the decoded frames [T, classes], or undefined   @param classes  their
/// names; of a stage with several classes those that the classifier knows are summed
/// @throws DataError class.unknown, class.missing; ShapeError; ValueError for a stage that the
/// classifier does not know
StageReport stage_order(const Run& run, const Trajectory& trajectory,
                        const std::vector<std::string>& stages, const Tensor& probabilities = {},
                        const std::vector<std::string>& classes = {});

}  // namespace cytograd::multimodal
