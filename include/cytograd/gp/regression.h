#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/gp/kernel.h"
#include "cytograd/gp/optimize.h"

/// @file
/// Gaussian process regression (Rasmussen and Williams 2006, chapters 2 and 5), exact, in float64
/// on the device of the observations; docs/gaussian-processes.md.
///
///     gp::Regression model(gp::constant(1) * gp::rbf(0.3) + gp::white(0.1));
///     gp::FitReport report = model.fit(t, y);               // t [N, D], y [N, K]
///     gp::Prediction path = model.predict(queries);         // mean [M, K], covariance [M, M]
///     Tensor draws = gp::draw(path, 20, seed);              // [20, M, K]

namespace cytograd::gp {

struct FitOptions {
  Optimizer optimizer = Optimizer::lbfgs;
  int64_t restarts = 10;  ///< further starts, uniform in the box of the logarithms
  uint64_t seed = 0;
};

/// What a fit found.
struct FitReport {
  double log_marginal_likelihood = 0;
  std::vector<Parameter> parameters;
  std::vector<std::string> at_bound;  ///< names of parameters that ended on a bound
  int64_t start = 0;                  ///< the winning one; 0 is the kernel's own values
  int64_t evaluations = 0;            ///< of the likelihood, over all starts
  std::vector<std::string> notes;     ///< what the user should know: jitter was needed
};

/// Predicted functions at M inputs: K outputs that share one covariance, without noise.
struct Prediction {
  Tensor mean;        ///< [M, K]
  Tensor covariance;  ///< [M, M], symmetric with a diagonal >= 0
};

/// K functions of one kernel, of mean zero, seen at N inputs. Const members may be called by
/// several threads at once.
class Regression {
 public:
  explicit Regression(Kernel kernel) : kernel_(std::move(kernel)) {}

  /// Takes the observations as they are explained by the kernel's present values.
  /// @param x [N, D]   @param y [N, K], float64, finite, on one device
  /// @throws ShapeError, DtypeError, DeviceError; ValueError for values that are not finite, or a
  /// covariance without a factor (`gp::factor`)
  void condition(const Tensor& x, const Tensor& y);

  /// Finds the values of the kernel within its bounds that make y most likely, over all starts
  /// (the best wins, of equals the first), and takes the observations with them. The same seed and
  /// data give the same bits for any number of threads. @throws as `condition`; StateError where
  /// the optimiser is not in this build
  FitReport fit(const Tensor& x, const Tensor& y, const FitOptions& options = {});

  /// Mean and full covariance of the functions at `queries` [M, D].
  /// @throws StateError before `condition`; ShapeError, DtypeError, DeviceError; ValueError for a
  /// variance below 0 by more than 1e-10 of the largest prior variance (at least 1)
  Prediction predict(const Tensor& queries) const;

  const Kernel& kernel() const { return kernel_; }
  double log_marginal_likelihood() const;
  double jitter() const { return jitter_; }  ///< that the factor needed
  const Tensor& chol() const { return chol_; }

 private:
  Kernel kernel_;
  Tensor x_, y_, chol_, alpha_;
  double jitter_ = 0;
};

/// Samples of the predicted functions: mean + chol(covariance + 1e-9 max diagonal I) E, with E
/// standard normal from the named stream of each sample, so that sample s does not depend on
/// `count`. @return [count, M, K]   @throws ValueError unless count >= 1
Tensor draw(const Prediction& prediction, int64_t count, uint64_t seed);

/// One problem of a batch.
struct Observations {
  Tensor x, y;
};

/// Fits model i to observations i, several at once on the CPU, each with its own stream of starts:
/// report i is that of `models[i].fit` with the seed `options.seed` + i.
/// @throws ShapeError unless there is one model per problem, else as the first `fit` that fails
std::vector<FitReport> fit(std::vector<Regression>& models,
                           const std::vector<Observations>& problems,
                           const FitOptions& options = {});

}  // namespace cytograd::gp
