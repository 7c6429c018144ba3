#include "cytograd/gp/regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/gp/likelihood.h"
#include "cytograd/ops/cholesky.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/shape.h"
#include "gp/diagonal.h"

namespace cytograd::gp {
namespace {

void check_observations(const Tensor& x, const Tensor& y) {
  constexpr const char* op = "gp regression";
  check<ShapeError>(x.ndim() == 2 && x.size(0) >= 1, op, "x expects [N, D] with N >= 1, got ",
                    x.shape());
  check<ShapeError>(y.ndim() == 2 && y.size(0) == x.size(0) && y.size(1) >= 1, op, "y expects [",
                    x.size(0), ", K] with K >= 1, got ", y.shape());
  for (const Tensor* t : {&x, &y}) {
    check<DtypeError>(t->dtype() == Dtype::float64, op, "expects float64, got ", t->dtype());
    check<DeviceError>(t->device() == x.device(), op, "y expects ", x.device(), ", got ",
                       t->device());
    check<ValueError>(std::isfinite(sum(abs(t->detach())).item()), op, t == &x ? "x" : "y",
                      " expects finite values, got NaN or infinity");
  }
}

// The box of a fit, of the parameters that are not fixed; values are logarithms.
struct Box {
  std::vector<size_t> free;
  std::vector<double> start, lower, upper;

  explicit Box(const Kernel& kernel) {
    const std::vector<Parameter>& all = kernel.parameters();
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].fixed) continue;
      free.push_back(i);
      lower.push_back(std::log(all[i].lower));
      upper.push_back(std::log(all[i].upper));
      start.push_back(std::clamp(std::log(all[i].value), lower.back(), upper.back()));
    }
  }

  std::vector<double> random(uint64_t seed, int64_t number) const {
    Rng rng(seed, "gp start", static_cast<uint64_t>(number));
    std::vector<double> out;
    for (size_t i = 0; i < free.size(); ++i) out.push_back(rng.uniform(lower[i], upper[i]));
    return out;
  }

  // All values of the kernel, exactly on a bound where the search ended there.
  std::vector<double> values(const Kernel& kernel, const std::vector<double>& at) const {
    std::vector<double> out;
    for (const Parameter& p : kernel.parameters()) out.push_back(p.value);
    for (size_t i = 0; i < free.size(); ++i) {
      const Parameter& p = kernel.parameters()[free[i]];
      out[free[i]] = at[i] <= lower[i]   ? p.lower
                     : at[i] >= upper[i] ? p.upper
                                         : std::clamp(std::exp(at[i]), p.lower, p.upper);
    }
    return out;
  }
};

// The likelihood as a function of the free logarithms; -infinity where there is no factor.
Objective likelihood_of(const Kernel& kernel, const Box& box, const Tensor& x, const Tensor& y) {
  const std::vector<double> fixed = kernel.log_values().to_vector<double>();
  return [&kernel, &box, &x, &y, fixed](const std::vector<double>& at, std::vector<double>& slope) {
    std::vector<double> all = fixed;
    for (size_t i = 0; i < at.size(); ++i) all[box.free[i]] = at[i];
    const GradMode recording(true);
    const Tensor log_values = Tensor::from(all).to(x.device());
    log_values.set_requires_grad(true);
    Tensor value;
    try {
      value = log_marginal_likelihood(kernel.covariance(x, log_values), y);
    } catch (const ValueError&) {
      return -std::numeric_limits<double>::infinity();
    }
    value.backward();
    const std::vector<double> gradient = log_values.grad().to_vector<double>();
    for (size_t i = 0; i < at.size(); ++i) slope[i] = gradient[box.free[i]];
    return value.item();
  };
}

}  // namespace

void Regression::condition(const Tensor& x, const Tensor& y) {
  check_observations(x, y);
  const NoGrad no_grad;
  const Tensor own_x = x.detach().clone(), own_y = y.detach().clone();
  const Factor f = factor(kernel_.covariance(own_x, kernel_.log_values(x.device())));
  alpha_ = solve(f.chol, own_y);
  x_ = own_x;
  y_ = own_y;
  chol_ = f.chol;
  jitter_ = f.jitter;
}

double Regression::log_marginal_likelihood() const {
  check<StateError>(x_.defined(), "gp regression", "condition or fit comes first");
  const NoGrad no_grad;
  const auto n = static_cast<double>(y_.size(0)), k = static_cast<double>(y_.size(1));
  return -0.5 * sum(y_ * alpha_).item() - k * sum(log(diagonal(chol_))).item() -
         n * k / 2 * std::log(2 * std::numbers::pi);
}

FitReport Regression::fit(const Tensor& x, const Tensor& y, const FitOptions& options) {
  check_observations(x, y);
  check<ValueError>(options.restarts >= 0, "gp regression", "restarts expects >= 0, got ",
                    options.restarts);
  const Tensor seen_x = x.detach(), seen_y = y.detach();
  const Box box(kernel_);
  const Objective likelihood = likelihood_of(kernel_, box, seen_x, seen_y);
  FitReport report;
  Maximum best;
  const int64_t restarts = box.free.empty() ? 0 : options.restarts;
  for (int64_t start = 0; start <= restarts; ++start) {
    const Maximum found =
        maximise(likelihood, start == 0 ? box.start : box.random(options.seed, start), box.lower,
                 box.upper, box.free.empty() ? Optimizer::adam : options.optimizer);
    report.evaluations += found.evaluations;
    if (start == 0 || found.value > best.value) {
      best = found;
      report.start = start;
    }
  }
  kernel_ = kernel_.with_values(box.values(kernel_, best.at));
  condition(x, y);
  report.log_marginal_likelihood = log_marginal_likelihood();
  report.parameters = kernel_.parameters();
  for (const size_t i : box.free) {
    const Parameter& p = report.parameters[i];
    // Within what the search can tell apart.
    const double margin = 1e-6;
    if (p.value <= p.lower * (1 + margin) || p.value >= p.upper * (1 - margin))
      report.at_bound.push_back(p.name);
  }
  if (jitter_ > 0)
    report.notes.push_back("the covariance needed jitter: inputs repeat, and the noise is small");
  return report;
}

Prediction Regression::predict(const Tensor& queries) const {
  check<StateError>(x_.defined(), "gp regression", "condition or fit comes before predict");
  const NoGrad no_grad;
  const Tensor at = queries.detach(), values = kernel_.log_values(x_.device());
  const Tensor cross = kernel_.covariance(x_, at, values);  // [N, M]
  const Tensor prior = kernel_.covariance(at, at, values);  // [M, M]
  const Tensor v = triangular_solve(chol_, cross);
  const Tensor covariance = (prior - matmul(transpose(v, 0, 1), v)).contiguous();
  if (covariance.numel() > 0) {
    const double largest = max(diagonal(prior.contiguous()), 0).item();
    const double bound = -1e-10 * std::max(1.0, largest);
    std::vector<double> variances = diagonal(covariance).to_vector<double>();
    for (size_t i = 0; i < variances.size(); ++i) {
      check<ValueError>(variances[i] >= bound, "gp regression", "the variance at query ", i,
                        " expects >= 0, got ", variances[i], "; more noise may help");
      variances[i] = std::max(variances[i], 0.0);
    }
    diagonal(covariance).copy_(Tensor::from(variances));
  }
  return {matmul(transpose(cross, 0, 1), alpha_), covariance};
}

Tensor draw(const Prediction& prediction, int64_t count, uint64_t seed) {
  check<ValueError>(count >= 1, "gp draw", "count expects >= 1, got ", count);
  const NoGrad no_grad;
  const Tensor &mean = prediction.mean, &covariance = prediction.covariance;
  const int64_t m = mean.size(0), k = mean.size(1);
  if (m == 0) return Tensor::empty({count, m, k}, Dtype::float64, mean.device());
  const double largest = max(diagonal(covariance.contiguous()), 0).item();
  // A path without variance has one sample.
  if (!(largest > 0)) return expand(mean, {count, m, k}).clone();
  const Tensor noise = Tensor::empty({m, count, k}, Dtype::float64);
  double* to = noise.data<double>();
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      Rng rng(seed, "gp draw", static_cast<uint64_t>(s));
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < k; ++j) to[(i * count + s) * k + j] = rng.normal();
    }
  });
  const Tensor chol = factor(covariance + identity(m, mean.device()) * (1e-9 * largest)).chol;
  const Tensor moved = matmul(chol, reshape(noise.to(mean.device()), {m, count * k}));
  return (permute(reshape(moved, {m, count, k}), {1, 0, 2}) + unsqueeze(mean, 0)).contiguous();
}

std::vector<FitReport> fit(std::vector<Regression>& models,
                           const std::vector<Observations>& problems, const FitOptions& options) {
  check<ShapeError>(models.size() == problems.size(), "gp fit", "expects ", problems.size(),
                    " models, got ", models.size());
  std::vector<FitReport> reports(models.size());
  const auto one = [&](size_t i) {
    FitOptions own = options;
    own.seed += i;
    reports[i] = models[i].fit(problems[i].x, problems[i].y, own);
  };
  const bool on_host = std::all_of(problems.begin(), problems.end(), [](const Observations& p) {
    return p.x.defined() && p.x.device().type == DeviceType::cpu;
  });
  if (on_host)
    parallel_for(static_cast<int64_t>(models.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(static_cast<size_t>(i));
    });
  else
    for (size_t i = 0; i < models.size(); ++i) one(i);
  return reports;
}

}  // namespace cytograd::gp
