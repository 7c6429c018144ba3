#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/gp/regression.h"

/// @file
/// Paths through a latent space over pseudotime t in [0, 1], by Gaussian processes that the latent
/// dimensions share (docs/gaussian-processes.md). On the CPU, float64.

namespace cytograd::gp {

struct Path {
  Tensor t;                        ///< [T], equidistant from 0 to 1
  Tensor mean;                     ///< [T, D], prior + scale * standard.mean
  Tensor prior;                    ///< [T, D], the prior mean
  Tensor scale;                    ///< [D], the unit of each dimension
  Prediction standard;             ///< of (z - prior) / scale; covariance [T, T]
  Kernel kernel;                   ///< with the values that were used
  std::vector<std::string> notes;  ///< what the user should know
};

/// Samples of a path, [count, T, D]. @throws ValueError unless count >= 1
Tensor draw(const Path& path, int64_t count, uint64_t seed);

struct AnchoredOptions {
  int64_t anchors = 20;  ///< cells per group that are drawn as observations
  int64_t points = 100;  ///< T
  uint64_t seed = 0;     ///< of the anchors and of the fit's starts
  FitOptions fit = {};   ///< its seed is not used
};

/// A path from the first group of cells to the last, by way of those between: group i of q + 2 is
/// observed at t = i / (q + 1). Prior mean: the line between the means of the first and the last
/// group. Unit of a dimension: the standard deviation within groups, pooled over the anchors; 1
/// where it is 0. The kernel constant(1) * rbf(0.3) + white(0.1) is fitted within its bounds.
/// @param groups  latents [n, D] of each group, float32 or float64   @throws ShapeError,
/// DtypeError; ValueError for fewer than two groups, empty groups, latents that are not finite,
/// anchors < 1, points < 2; as `Regression::fit`
Path anchored_path(const Tensors& groups, const AnchoredOptions& options = {});

/// A path from z_A to z_B [D] with zero prior mean, outputscale and lengthscale at the closed
/// maximum of the likelihood within [0.1, 10], noise 1e-10.
/// @throws ShapeError, DtypeError; ValueError for values that are not finite, points < 2
Path two_point_path(const Tensor& from, const Tensor& to, int64_t points = 100);

/// The straight line from z_A to z_B, with lengthscale 0.5 and these prior variances [D] of the
/// dimensions (say, the mean of those within the two classes); without variance at both ends.
/// @throws as `two_point_path`; ValueError for a negative variance
Path straight_path(const Tensor& from, const Tensor& to, const Tensor& variances,
                   int64_t points = 100);

}  // namespace cytograd::gp
