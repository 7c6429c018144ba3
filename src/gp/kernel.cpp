#include "cytograd/gp/kernel.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/matmul.h"
#include "cytograd/ops/pairwise_distance.h"
#include "cytograd/ops/shape.h"
#include "gp/diagonal.h"

namespace cytograd::gp {

struct Kernel::Term {
  enum class Kind { constant, rbf, matern, linear, white, sum, product };
  Kind kind;
  Smoothness smoothness = Smoothness::half;
  std::shared_ptr<const Term> left = {}, right = {};  // of sums and products
};

// The one way to a Kernel from its parts.
struct KernelMaker {
  static Kernel leaf(Kernel::Term term, Parameter parameter) {
    constexpr const char* op = "gp kernel";
    const Parameter& p = parameter;
    check<ValueError>(p.lower > 0 && p.lower <= p.upper && std::isfinite(p.upper), op, p.name,
                      " expects bounds with 0 < lower <= upper, got ", p.lower, " and ", p.upper);
    check<ValueError>(p.value >= p.lower && p.value <= p.upper, op, p.name, " expects ", p.lower,
                      " to ", p.upper, ", got ", p.value);
    return {std::make_shared<const Kernel::Term>(std::move(term)), {std::move(parameter)}};
  }

  static Kernel join(Kernel::Term::Kind kind, const Kernel& a, const Kernel& b) {
    std::vector<Parameter> all = a.parameters_;
    for (Parameter p : b.parameters_) {
      const std::string base = p.name.substr(0, p.name.find_last_not_of("0123456789") + 1);
      const auto taken = [&all](const std::string& name) {
        return std::any_of(all.begin(), all.end(),
                           [&name](const Parameter& q) { return q.name == name; });
      };
      p.name = base;
      for (int number = 2; taken(p.name); ++number) p.name = base + std::to_string(number);
      all.push_back(std::move(p));
    }
    return {std::make_shared<const Kernel::Term>(
                Kernel::Term{kind, Smoothness::half, a.term_, b.term_}),
            std::move(all)};
  }
};

namespace {

using Kind = Kernel::Term::Kind;
using Term = Kernel::Term;

// What all terms of one expression are evaluated on.
struct Inputs {
  const Tensor &x, &y;
  const Tensor& log_values;
  bool noise;        // x and y are the same observations
  int64_t used = 0;  // parameters of the terms so far
  Tensor distance;   // of every x to every y, once a term has asked for it

  Tensor next() {  // [1]
    const int64_t at = used++;
    return exp(slice(log_values, 0, at, at + 1));
  }
  const Tensor& distances() {
    if (!distance.defined()) distance = pairwise_distance(x, y);
    return distance;
  }
};

Tensor matern_of(Smoothness smoothness, const Tensor& r) {
  if (smoothness == Smoothness::half) return exp(-r);
  if (smoothness == Smoothness::three_halves) {
    const Tensor s = r * std::sqrt(3.0);
    return (s + 1.0) * exp(-s);
  }
  const Tensor s = r * std::sqrt(5.0);
  return (s + 1.0 + square(s) * (1.0 / 3)) * exp(-s);
}

Tensor evaluate(const Term& term, Inputs& in) {
  const Shape shape{in.x.size(0), in.y.size(0)};
  switch (term.kind) {
    case Kind::constant:
      return expand(in.next(), shape);
    case Kind::rbf: {
      const Tensor factor = -0.5 / square(in.next());
      return exp(square(in.distances()) * factor);
    }
    case Kind::matern: {
      const Tensor lengthscale = in.next();
      return matern_of(term.smoothness, in.distances() / lengthscale);
    }
    case Kind::linear:
      return matmul(in.x, transpose(in.y, 0, 1)) * in.next();
    case Kind::white: {
      const Tensor noise = in.next();
      if (!in.noise) return Tensor::zeros(shape, Dtype::float64, in.x.device());
      return identity(shape[0], in.x.device()) * noise;
    }
    case Kind::sum:
    case Kind::product: {
      const Tensor left = evaluate(*term.left, in), right = evaluate(*term.right, in);
      return term.kind == Kind::sum ? left + right : left * right;
    }
  }
  throw InternalError("gp kernel: no such term");
}

void check_inputs(const Tensor& x, const Tensor& y, const Tensor& log_values, size_t parameters) {
  constexpr const char* op = "gp kernel";
  check<ShapeError>(x.ndim() == 2 && y.ndim() == 2 && x.size(1) == y.size(1), op,
                    "expects inputs [N, D] and [M, D], got ", x.shape(), " and ", y.shape());
  check<ShapeError>(log_values.shape() == Shape{static_cast<int64_t>(parameters)}, op,
                    "expects the logarithms of ", parameters, " parameters, got ",
                    log_values.shape());
  for (const Tensor* t : {&x, &y, &log_values}) {
    check<DtypeError>(t->dtype() == Dtype::float64, op, "expects float64, got ", t->dtype());
    check<DeviceError>(t->device() == x.device(), op, "expects all on ", x.device(), ", got ",
                       t->device());
  }
}

}  // namespace

Kernel::Kernel(std::shared_ptr<const Term> term, std::vector<Parameter> parameters)
    : term_(std::move(term)), parameters_(std::move(parameters)) {}

Kernel Kernel::with_values(const std::vector<double>& values) const {
  check<ValueError>(values.size() == parameters_.size(), "gp kernel", "expects ",
                    parameters_.size(), " values, got ", values.size());
  Kernel out = *this;
  for (size_t i = 0; i < values.size(); ++i) {
    check<ValueError>(values[i] > 0 && std::isfinite(values[i]), "gp kernel", parameters_[i].name,
                      " expects a positive value, got ", values[i]);
    out.parameters_[i].value = values[i];
  }
  return out;
}

Kernel Kernel::with_fixed(const std::string& name) const {
  Kernel out = *this;
  for (Parameter& p : out.parameters_)
    if (p.name == name) {
      p.fixed = true;
      return out;
    }
  std::string names;
  for (const Parameter& p : parameters_) names += (names.empty() ? "" : ", ") + p.name;
  throw ValueError("gp kernel: expected one of " + names + ", got " + name);
}

Tensor Kernel::log_values(Device device) const {
  std::vector<double> out;
  for (const Parameter& p : parameters_) out.push_back(std::log(p.value));
  return Tensor::from(out).to(device);
}

Tensor Kernel::covariance(const Tensor& x, const Tensor& log_values) const {
  check_inputs(x, x, log_values, parameters_.size());
  Inputs in{x, x, log_values, true, 0, {}};
  return evaluate(*term_, in);
}

Tensor Kernel::covariance(const Tensor& x, const Tensor& y, const Tensor& log_values) const {
  check_inputs(x, y, log_values, parameters_.size());
  Inputs in{x, y, log_values, false, 0, {}};
  return evaluate(*term_, in);
}

Kernel operator+(const Kernel& a, const Kernel& b) { return KernelMaker::join(Kind::sum, a, b); }
Kernel operator*(const Kernel& a, const Kernel& b) {
  return KernelMaker::join(Kind::product, a, b);
}

Kernel constant(double outputscale, Range range) {
  return KernelMaker::leaf({.kind = Kind::constant},
                           {"outputscale", outputscale, range.lower, range.upper});
}
Kernel rbf(double lengthscale, Range range) {
  return KernelMaker::leaf({.kind = Kind::rbf},
                           {"lengthscale", lengthscale, range.lower, range.upper});
}
Kernel matern(Smoothness smoothness, double lengthscale, Range range) {
  return KernelMaker::leaf({.kind = Kind::matern, .smoothness = smoothness},
                           {"lengthscale", lengthscale, range.lower, range.upper});
}
Kernel linear(double outputscale, Range range) {
  return KernelMaker::leaf({.kind = Kind::linear},
                           {"outputscale", outputscale, range.lower, range.upper});
}
Kernel white(double noise, Range range) {
  return KernelMaker::leaf({.kind = Kind::white}, {"noise", noise, range.lower, range.upper});
}

}  // namespace cytograd::gp
