#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// y[i] = standard normal number i of the stream `key` (kernels/random.h), rounded. Packed.
void random_normal(CpuContext, uint64_t key, const Tensor& y);
void random_normal(CudaContext, uint64_t key, const Tensor& y);

}  // namespace cytograd::kernels
