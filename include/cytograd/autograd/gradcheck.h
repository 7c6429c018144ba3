#pragma once

#include <functional>
#include <string>

#include "cytograd/core/tensor.h"

namespace cytograd {

/// What a gradient check found.
struct GradCheck {
  double worst =
      0;  ///< largest |analytic - numeric| / max(1, |analytic|, |numeric|); NaN counts as infinite
  std::string place;  ///< "input 1, element 17: analytic 0.5, numeric 0.25"
  bool passed(double tolerance) const { return worst <= tolerance; }
};

/// Compares the gradients of `f` with central differences in float64.
///
/// The scalar that is differentiated is sum(f(inputs) * r), r a fixed random tensor. Every float64
/// input is checked at every element with one step h; other inputs are held. Inputs must stay h
/// away from kinks.
/// @throws DtypeError if no input is float64
GradCheck gradcheck(const std::function<Tensor(const Tensors&)>& f, const Tensors& inputs,
                    double h = 1e-6);

}  // namespace cytograd
