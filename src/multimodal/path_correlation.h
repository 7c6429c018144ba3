#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/multimodal/drivers.h"

/// @file
/// Correlation of genes and scores across paths, and its permutation test.

namespace cytograd::multimodal {

inline constexpr int64_t least_paths = 8;

struct PathCorrelation {
  double across = 0;  ///< tanh of the mean Fisher z over t; NaN where no t has a value
  double p = 0;       ///< two-sided, (1 + permutations at least as far from 0) / (1 + permutations)
};

/// Row-major [genes, scores]. At each t with at least `least_paths` paths that have the score, and
/// where score and gene both vary, r is Pearson's correlation, shrunk by a millionth so that its
/// Fisher z is finite. A permutation gives path s the scores of path perm(s), at all t and for all
/// genes and scores alike. The bits do not depend on the number of threads.
std::vector<PathCorrelation> correlate_paths(const std::vector<PathCurves>& paths,
                                             const DriverOptions& options);

}  // namespace cytograd::multimodal
