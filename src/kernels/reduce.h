#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// A contiguous tensor seen as [outer, n, inner]; n is reduced.
struct Extent {
  int64_t outer = 1, n = 1, inner = 1;
};

/// y[o, i] = sum_r x[o, r, i] / divisor, summed in float64. y contiguous [outer, inner].
void sum(CpuContext, const Tensor& x, Extent extent, double divisor, const Tensor& y);
void sum(CudaContext, const Tensor& x, Extent extent, double divisor, const Tensor& y);

// Reductions of rows: x [..., n], everything contiguous.

/// value = the largest element (sign = 1) or smallest (sign = -1), NaN first; index = its first
/// position, int64. n >= 1.
void extreme(CpuContext, const Tensor& x, int64_t n, int sign, const Tensor& value,
             const Tensor& index);
void extreme(CudaContext, const Tensor& x, int64_t n, int sign, const Tensor& value,
             const Tensor& index);
/// dx = 0 but dy at the index of each row.
void extreme_backward(CpuContext, const Tensor& index, const Tensor& dy, int64_t n,
                      const Tensor& dx);
void extreme_backward(CudaContext, const Tensor& index, const Tensor& dy, int64_t n,
                      const Tensor& dx);

void logsumexp(CpuContext, const Tensor& x, int64_t n, const Tensor& y);
void logsumexp(CudaContext, const Tensor& x, int64_t n, const Tensor& y);
void logsumexp_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                        const Tensor& dx);
void logsumexp_backward(CudaContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                        const Tensor& dx);

void norm(CpuContext, const Tensor& x, int64_t n, const Tensor& y);
void norm(CudaContext, const Tensor& x, int64_t n, const Tensor& y);
/// dx = dy x / y, 0 where y is 0.
void norm_backward(CpuContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                   const Tensor& dx);
void norm_backward(CudaContext, const Tensor& x, const Tensor& y, const Tensor& dy, int64_t n,
                   const Tensor& dx);

/// Variance with divisor n - correction, and the mean that backward needs.
void var(CpuContext, const Tensor& x, int64_t n, int64_t correction, const Tensor& y,
         const Tensor& mean);
void var(CudaContext, const Tensor& x, int64_t n, int64_t correction, const Tensor& y,
         const Tensor& mean);
void var_backward(CpuContext, const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t n,
                  int64_t correction, const Tensor& dx);
void var_backward(CudaContext, const Tensor& x, const Tensor& mean, const Tensor& dy, int64_t n,
                  int64_t correction, const Tensor& dx);

}  // namespace cytograd::kernels
