#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// d[N, M] from contiguous x [N, D], y [M, D].
void pairwise_distance(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d);
void pairwise_distance(CudaContext, const Tensor& x, const Tensor& y, const Tensor& d);

/// dx[i] = sum_j dd[i, j] (x[i] - y[j]) / d[i, j], terms with d = 0 left out. For the gradient of y
/// call it with the roles exchanged and `transposed` set: dd and d are then read as [j, i]. Where x
/// and y are the same rows dd is symmetric.
void pairwise_distance_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& d,
                                const Tensor& dd, bool transposed, const Tensor& dx);
void pairwise_distance_backward(CudaContext, const Tensor& x, const Tensor& y, const Tensor& d,
                                const Tensor& dd, bool transposed, const Tensor& dx);

}  // namespace cytograd::kernels
