#include "cytograd/gp/optimize.h"

#ifdef CYTOGRAD_NLOPT
#include <nlopt.h>
#endif

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>

#include "cytograd/core/error.h"

namespace cytograd::gp {
namespace {

// Calls the objective and remembers the best point, whatever the method makes of the others.
class Watched {
 public:
  explicit Watched(const Objective& f) : f_(f) {}

  double operator()(const std::vector<double>& at, std::vector<double>& slope) {
    std::fill(slope.begin(), slope.end(), 0.0);
    const double found = f_(at, slope);
    const double value = std::isnan(found) ? -std::numeric_limits<double>::infinity() : found;
    ++best_.evaluations;
    if (best_.at.empty() || value > best_.value) {
      best_.at = at;
      best_.value = value;
    }
    return value;
  }
  const Maximum& best() const { return best_; }

 private:
  const Objective& f_;
  Maximum best_;
};

#ifdef CYTOGRAD_NLOPT
struct Call {
  Watched& f;
  nlopt_opt method;
  std::exception_ptr error;  // exceptions must not pass through C
};

double minus(unsigned n, const double* x, double* gradient, void* context) {
  Call& call = *static_cast<Call*>(context);
  try {
    std::vector<double> slope(n);
    const double value = call.f(std::vector<double>(x, x + n), slope);
    if (gradient)
      for (unsigned i = 0; i < n; ++i) gradient[i] = -slope[i];
    // Finite: line searches compute with it.
    return std::isfinite(value) ? -value : 1e100;
  } catch (...) {
    call.error = std::current_exception();
    nlopt_force_stop(call.method);
    return 0;
  }
}

void lbfgs(Watched& f, const std::vector<double>& start, const std::vector<double>& lower,
           const std::vector<double>& upper) {
  const auto n = static_cast<unsigned>(start.size());
  const std::unique_ptr<nlopt_opt_s, void (*)(nlopt_opt)> method(nlopt_create(NLOPT_LD_LBFGS, n),
                                                                 &nlopt_destroy);
  check<InternalError>(method != nullptr, "maximise", "nlopt_create failed");
  Call call{f, method.get(), nullptr};
  nlopt_set_min_objective(method.get(), &minus, &call);
  nlopt_set_lower_bounds(method.get(), lower.data());
  nlopt_set_upper_bounds(method.get(), upper.data());
  nlopt_set_vector_storage(method.get(), 10);
  nlopt_set_ftol_rel(method.get(), 1e-15);
  nlopt_set_xtol_rel(method.get(), 1e-10);
  nlopt_set_maxeval(method.get(), 400);  // 200 iterations, most of which take one
  std::vector<double> x = start;
  double least = 0;
  // Its verdict is not needed: the best point is the result also where rounding ended the search.
  nlopt_optimize(method.get(), x.data(), &least);
  if (call.error) std::rethrow_exception(call.error);
}
#endif

void adam(Watched& f, const std::vector<double>& start, const std::vector<double>& lower,
          const std::vector<double>& upper) {
  constexpr double rate = 0.05, keep1 = 0.9, keep2 = 0.999, tiny = 1e-8;
  std::vector<double> x = start, slope(x.size()), first(x.size()), second(x.size());
  double bias1 = 1, bias2 = 1;
  for (int step = 0; step < 500; ++step) {
    f(x, slope);
    bias1 *= keep1;
    bias2 *= keep2;
    for (size_t i = 0; i < x.size(); ++i) {
      first[i] = keep1 * first[i] + (1 - keep1) * slope[i];
      second[i] = keep2 * second[i] + (1 - keep2) * slope[i] * slope[i];
      const double move =
          rate * (first[i] / (1 - bias1)) / (std::sqrt(second[i] / (1 - bias2)) + tiny);
      x[i] = std::clamp(x[i] + move, lower[i], upper[i]);
    }
  }
}

}  // namespace

bool has_lbfgs() {
#ifdef CYTOGRAD_NLOPT
  return true;
#else
  return false;
#endif
}

Maximum maximise(const Objective& f, const std::vector<double>& start,
                 const std::vector<double>& lower, const std::vector<double>& upper,
                 Optimizer optimizer) {
  check<ValueError>(start.size() == lower.size() && start.size() == upper.size(), "maximise",
                    "start and bounds expect one length, got ", start.size(), ", ", lower.size(),
                    " and ", upper.size());
  for (size_t i = 0; i < start.size(); ++i)
    check<ValueError>(lower[i] <= start[i] && start[i] <= upper[i], "maximise", "start ", i,
                      " expects ", lower[i], " to ", upper[i], ", got ", start[i]);
  Watched watched(f);
  if (start.empty()) {
    std::vector<double> none;
    watched(start, none);
    return watched.best();
  }
  if (optimizer == Optimizer::adam) {
    adam(watched, start, lower, upper);
    return watched.best();
  }
#ifdef CYTOGRAD_NLOPT
  lbfgs(watched, start, lower, upper);
  return watched.best();
#else
  throw StateError(
      "maximise: expected a build with NLopt for L-BFGS, got one without; install libnlopt-dev "
      "and build again, or choose adam");
#endif
}

}  // namespace cytograd::gp
