#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

// Rows of n elements, everything contiguous. `logarithm` selects log_softmax.

void softmax(CpuContext, const Tensor& x, int64_t n, bool logarithm, const Tensor& y);
void softmax(CudaContext, const Tensor& x, int64_t n, bool logarithm, const Tensor& y);
/// softmax: dx = y (dy - sum(dy y)); log_softmax: dx = dy - exp(y) sum(dy).
void softmax_backward(CpuContext, const Tensor& y, const Tensor& dy, int64_t n, bool logarithm,
                      const Tensor& dx);
void softmax_backward(CudaContext, const Tensor& y, const Tensor& dy, int64_t n, bool logarithm,
                      const Tensor& dx);

}  // namespace cytograd::kernels
