#pragma once

#include <cstdint>
#include <functional>
#include <vector>

/// @file
/// Maximisation inside a box, for a few variables.

namespace cytograd::gp {

enum class Optimizer {
  lbfgs,  ///< limited-memory BFGS with bounds, by the library NLopt (Debian: libnlopt-dev)
  adam,   ///< Adam (lr 0.05, 500 steps), projected to the box
};

/// Value at a point, and its gradient into the last argument. A point where there is no value
/// gives -infinity.
using Objective = std::function<double(const std::vector<double>& at, std::vector<double>& slope)>;

struct Maximum {
  std::vector<double> at;
  double value = 0;
  int64_t evaluations = 0;
};

/// Whether this build has Optimizer::lbfgs.
bool has_lbfgs();

/// The best point met on the way from `start`, 10 pairs of steps remembered, at most 200
/// iterations. What `f` throws comes out of here. @throws StateError for lbfgs in a build without
/// it; ValueError unless lower <= start <= upper
Maximum maximise(const Objective& f, const std::vector<double>& start,
                 const std::vector<double>& lower, const std::vector<double>& upper,
                 Optimizer optimizer = Optimizer::lbfgs);

}  // namespace cytograd::gp
