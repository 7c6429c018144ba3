#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/unary_functions.h"

namespace cytograd::kernels {

struct Add {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a + b;
  }
};
struct Sub {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a - b;
  }
};
struct Mul {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a * b;
  }
};
struct Div {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a / b;
  }
};
/// NaN if one is NaN: `a > b` is false then, and NaN is found by comparing with itself.
struct Maximum {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Minimum {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
/// The share of the gradient that the first operand of maximum takes: 1, 0, or 1/2 at a tie.
struct LargerShare {
  template <class T>
  CYTOGRAD_HD T operator()(T a, T b) const {
    return a > b ? T(1) : a == b ? T(0.5) : T(0);
  }
};

using BinaryFunctions = FunctionList<Add, Sub, Mul, Div, Maximum, Minimum, LargerShare>;

/// y = f(a, b) with function number `function` of BinaryFunctions. y contiguous; a and b of its
/// shape, with any strides (0 where they broadcast); y may be a or b itself.
void binary(CpuContext, int function, const Tensor& a, const Tensor& b, const Tensor& y);
void binary(CudaContext, int function, const Tensor& a, const Tensor& b, const Tensor& y);

}  // namespace cytograd::kernels
