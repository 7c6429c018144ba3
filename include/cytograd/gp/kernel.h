#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"

/// @file
/// Covariance functions of Gaussian processes and their sums and products
/// (docs/gaussian-processes.md).
///
///     const gp::Kernel k = gp::constant(1) * gp::rbf(0.3) + gp::white(0.01);

namespace cytograd::gp {

/// A positive hyperparameter and the interval in which a fit looks for it. `outputscale` and
/// `noise` are variances, `lengthscale` has the unit of the inputs.
struct Parameter {
  std::string name;
  double value = 1, lower = 1, upper = 1;
  bool fixed = false;  ///< a fit leaves it as it is
};

/// Bounds of a Parameter.
struct Range {
  double lower, upper;
};

/// Smoothness of a Matern kernel: 1/2, 3/2 or 5/2.
enum class Smoothness { half, three_halves, five_halves };

/// A covariance function: an immutable expression and the values of its hyperparameters, which are
/// counted from left to right. Cheap to copy.
class Kernel {
 public:
  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// This kernel with other values. @throws ValueError unless there is one positive and finite
  /// value per parameter
  Kernel with_values(const std::vector<double>& values) const;
  /// This kernel with the parameter of that name held fixed. @throws ValueError for no such name
  Kernel with_fixed(const std::string& name) const;
  /// Natural logarithms of the values, [P] float64.
  Tensor log_values(Device device = {}) const;

  /// Covariance of observations at x [N, D], noise included: [N, N] float64.
  /// @param log_values  [P] float64 on the device of x; the result is differentiable in it, and in
  /// x @throws ShapeError, DtypeError, DeviceError
  Tensor covariance(const Tensor& x, const Tensor& log_values) const;
  /// Covariance of the functions behind the observations, without noise: of x [N, D] with
  /// y [M, D], [N, M].
  Tensor covariance(const Tensor& x, const Tensor& y, const Tensor& log_values) const;

  friend Kernel operator+(const Kernel& a, const Kernel& b);
  friend Kernel operator*(const Kernel& a, const Kernel& b);

  /// The expression; private to src/gp/kernel.cpp.
  struct Term;

 private:
  friend struct KernelMaker;
  Kernel(std::shared_ptr<const Term> term, std::vector<Parameter> parameters);
  std::shared_ptr<const Term> term_;
  std::vector<Parameter> parameters_;  // names are unique: outputscale, outputscale2, ...
};

/// The sum, the elementwise product of the covariances.
Kernel operator+(const Kernel& a, const Kernel& b);
Kernel operator*(const Kernel& a, const Kernel& b);

// Each throws ValueError unless 0 < lower <= value <= upper, all finite.

/// The same covariance for all pairs: a factor for other kernels.
Kernel constant(double outputscale, Range range = {0.01, 100});
/// exp(-|x - y|^2 / (2 lengthscale^2)).
Kernel rbf(double lengthscale, Range range = {0.05, 10});
/// With r = |x - y| / lengthscale: exp(-r); (1 + sqrt3 r) exp(-sqrt3 r);
/// (1 + sqrt5 r + 5 r^2 / 3) exp(-sqrt5 r).
Kernel matern(Smoothness smoothness, double lengthscale, Range range = {0.05, 10});
/// outputscale x.y: straight lines through the origin.
Kernel linear(double outputscale, Range range = {0.01, 100});
/// Independent noise: `noise` on the diagonal of the covariance of observations, else 0.
Kernel white(double noise, Range range = {1e-8, 1});

}  // namespace cytograd::gp
