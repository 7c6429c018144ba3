#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// The factor of a positive definite matrix and the systems that it solves. float32, float64.
/// Gradients: all floating inputs. Deterministic.

namespace cytograd {

/// The lower triangular L with L L^T = a and a positive diagonal; zeros above.
/// @param a [N, N], symmetric: what is above the diagonal is not read. Its gradient is symmetric:
/// the
///   one for changes that keep `a` so.
/// @return [N, N]
/// @throws ShapeError, DtypeError; ValueError naming the first pivot that is not positive. On CUDA,
///   where looking at it would wait for the device, L is NaN from there on
Tensor cholesky(const Tensor& a);

/// X with L X = b, or L^T X = b if `transposed`.
/// @param l [N, N], lower triangular: what is above the diagonal is not read   @param b [N, K]
/// @return [N, K]; infinite or NaN where the diagonal has a 0
/// @throws ShapeError, DtypeError, DeviceError
Tensor triangular_solve(const Tensor& l, const Tensor& b, bool transposed = false);

}  // namespace cytograd
