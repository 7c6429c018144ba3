#pragma once

#include <initializer_list>
#include <vector>

#include "cytograd/core/tensor.h"

/// @file
/// Reductions along axes. float32 and float64; bfloat16 on CUDA as float32. Sums run in float64
/// over fixed chunks combined in order, so the bits do not depend on the number of threads.
/// `keepdim` keeps a reduced axis with size 1. Negative axes count from the end.

namespace cytograd {

/// Axes to reduce; empty means all. Converts from one axis or a braced list: `sum(x, 0)`,
/// `sum(x, {1, 2})`.
struct Dims {
  std::vector<int> list;
  Dims() = default;
  Dims(int dim) : list{dim} {}
  Dims(std::initializer_list<int> dims) : list(dims) {}
};

/// Sum over `dims`; 0 over nothing. @throws ShapeError if an axis is out of range or named twice
Tensor sum(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Mean over `dims`; NaN over nothing. @throws as sum
Tensor mean(const Tensor& x, const Dims& dims = {}, bool keepdim = false);
/// Largest element along `dim`; NaN if one is NaN. The gradient goes to the first largest.
/// @throws ShapeError if the axis has no elements
Tensor max(const Tensor& x, int dim, bool keepdim = false);
/// Smallest element along `dim`; as max.
Tensor min(const Tensor& x, int dim, bool keepdim = false);
/// Index of the first largest element along `dim` (of the first NaN if there is one), int64 and
/// without gradient. @throws ShapeError if the axis has no elements
Tensor argmax(const Tensor& x, int dim, bool keepdim = false);
/// log(sum(exp(x))) along `dim`, shifted by the maximum so that it cannot overflow; -inf over
/// nothing.
Tensor logsumexp(const Tensor& x, int dim, bool keepdim = false);
/// Euclidean length along `dim`; where it is 0 the gradient is 0.
Tensor norm(const Tensor& x, int dim, bool keepdim = false);
/// Variance along `dim`, two-pass: sum((x - mean)^2) / (n - correction); NaN if n <= correction.
Tensor var(const Tensor& x, int dim, int64_t correction = 1, bool keepdim = false);

}  // namespace cytograd
