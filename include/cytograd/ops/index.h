#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// Reading and adding by index. `index` is int64 with values in 0..size-1; no negative indices.
/// Gradients flow to x and src. Deterministic: elements are added in order of the index.
///
/// @throws DtypeError unless index is int64, ShapeError, DeviceError unless all are on one device,
/// ValueError naming the index out of range. On CUDA, where that would wait for the device, an
/// index out of range reads NaN (0 for integers) and adds to nothing.

namespace cytograd {

/// out[i][j][k] = x[i][index[i][j][k]][k] for dim 1. `index` has the number of axes of x and,
/// except along `dim`, no size above that of x. @return index.shape()
Tensor gather(const Tensor& x, int dim, const Tensor& index);
/// A copy of x with src added: out[i][index[i][j][k]][k] += src[i][j][k] for dim 1.
/// @param src  at least as large as `index` along each axis; elements beyond it are not used
Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& src);
/// Slices of x along `dim` in the order of `index` [n]. @return the shape of x with n along `dim`
Tensor index_select(const Tensor& x, int dim, const Tensor& index);
/// labels int64 of any shape -> [..., classes], 1 at the label and 0 elsewhere. No gradient.
/// @throws ValueError if classes < 1 or a label is not in 0..classes-1
Tensor one_hot(const Tensor& labels, int64_t classes, Dtype dtype = Dtype::float32);

}  // namespace cytograd
