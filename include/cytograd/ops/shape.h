#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// Changes of shape, for every dtype. All but `concat` and `stack` return views where they can:
/// the result shares memory with the input. Differentiable for floating dtypes. Negative axes count
/// from the end. @throws ShapeError naming the operation

namespace cytograd {

/// The same elements in row-major order under another shape; one size may be -1 and is inferred.
/// A view if x is contiguous, else a copy. @throws ShapeError if the numbers of elements differ
Tensor reshape(const Tensor& x, const Shape& shape);
/// Joins the axes from `start` on into one: [N, H, W, C] -> [N, H*W*C] for start 1.
Tensor flatten(const Tensor& x, int start = 1);
/// Swaps two axes. A view.
Tensor transpose(const Tensor& x, int dim0, int dim1);
/// Axis i of the result is axis dims[i] of x. A view. @throws ShapeError unless dims permutes them
Tensor permute(const Tensor& x, const std::vector<int>& dims);
/// Removes an axis of size 1. A view.
Tensor squeeze(const Tensor& x, int dim);
/// Inserts an axis of size 1 before `dim` (0..ndim, negative from the end). A view.
Tensor unsqueeze(const Tensor& x, int dim);
/// Repeats axes of size 1, and adds axes in front, without copying: strides of 0.
Tensor expand(const Tensor& x, const Shape& shape);
/// Elements begin, begin+step, ... below `end` along `dim`. A view. Negative bounds count from the
/// end, and both are cut to the axis, as in Python. @throws ValueError if step < 1
Tensor slice(const Tensor& x, int dim, int64_t begin, int64_t end, int64_t step = 1);
/// Joins along an existing axis; all other sizes and the dtype agree.
/// @throws ValueError for no tensors, ShapeError or DtypeError naming the tensor that differs
Tensor concat(const Tensors& tensors, int dim);
/// Joins along a new axis at `dim`; all shapes agree.
Tensor stack(const Tensors& tensors, int dim = 0);

}  // namespace cytograd
