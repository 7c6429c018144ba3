#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

// All packed, one floating dtype.

/// l [N, N] holds `a` and becomes its factor, zeros above the diagonal. From a pivot that is not
/// positive on everything is NaN.
void cholesky(CpuContext, const Tensor& l);
void cholesky(CudaContext, const Tensor& l);

/// x [N, K] holds b and becomes the solution of l x = b, or l^T x = b if `transposed`; l is read on
/// and below the diagonal.
void triangular_solve(CpuContext, const Tensor& l, bool transposed, const Tensor& x);
void triangular_solve(CudaContext, const Tensor& l, bool transposed, const Tensor& x);

/// y = factor x below the diagonal, factor diagonal x on it, 0 above. [N, N]; y may be x.
void lower_triangle(CpuContext, const Tensor& x, double factor, double diagonal, const Tensor& y);
void lower_triangle(CudaContext, const Tensor& x, double factor, double diagonal, const Tensor& y);

}  // namespace cytograd::kernels
