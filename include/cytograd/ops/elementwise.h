#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// Operations on each element alone. float32, float64, bfloat16 on CUDA (core/autocast.h); both
/// operands of a binary operation have one dtype and broadcast by NumPy's rule. NaN in gives NaN
/// out, also in `maximum`, `clamp` and `relu`. All are differentiable and give the same bits for
/// any number of threads.
///
/// @throws DtypeError for other or differing dtypes, ShapeError if shapes do not broadcast

namespace cytograd {

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
/// The larger element. At a tie each operand gets half of the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
/// The smaller element. At a tie each operand gets half of the gradient.
Tensor minimum(const Tensor& a, const Tensor& b);

Tensor add(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);

Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);
Tensor operator-(const Tensor& x);

Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
/// exp(x) - 1, exact to rounding also near 0.
Tensor expm1(const Tensor& x);
/// Natural logarithm; -inf at 0, NaN below.
Tensor log(const Tensor& x);
/// Square root; the slope at 0 is +inf.
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
/// |x|; the slope at 0 is 0.
Tensor abs(const Tensor& x);
/// x^exponent as std::pow; slope exponent * x^(exponent-1), 0 for exponent 0.
Tensor pow(const Tensor& x, double exponent);
/// min(max(x, low), high); the slope is 1 on [low, high], bounds included, else 0.
/// @throws ValueError unless low <= high
Tensor clamp(const Tensor& x, double low, double high);
/// max(x, 0); the slope at 0 is 0.
Tensor relu(const Tensor& x);
/// x for x > 0, else slope * x; the slope at 0 is `slope`. @throws ValueError if slope < 0
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// 1 / (1 + exp(-x)); saturates without overflow.
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// log(1 + exp(x)), computed as max(x, 0) + log1p(exp(-|x|)).
Tensor softplus(const Tensor& x);

}  // namespace cytograd
