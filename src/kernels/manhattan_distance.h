#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// d[N, M] from contiguous x [N, D], y [M, D]; x and y may be the same rows.
void manhattan_distance(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d);
void manhattan_distance(CudaContext, const Tensor& x, const Tensor& y, const Tensor& d);

/// dx[i, k] = sum_j dd[i, j] sign(x[i, k] - y[j, k]), sign(0) = 0. For the gradient of y call it
/// with the roles exchanged and `transposed` set: dd is then read as [j, i]. Where x and y are the
/// same rows dd is symmetric.
void manhattan_distance_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dd,
                                 bool transposed, const Tensor& dx);
void manhattan_distance_backward(CudaContext, const Tensor& x, const Tensor& y, const Tensor& dd,
                                 bool transposed, const Tensor& dx);

}  // namespace cytograd::kernels
