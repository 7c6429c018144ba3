#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// sum += term; same shape and floating dtype, any strides, no element of sum twice.
void add_into(CpuContext, const Tensor& sum, const Tensor& term);
void add_into(CudaContext, const Tensor& sum, const Tensor& term);
inline void add_into(const Tensor& sum, const Tensor& term) {
  on_device(sum, [&](auto ctx) { add_into(ctx, sum, term); });
}

/// destination = source, converted; same shape, any strides.
void copy(CpuContext, const Tensor& destination, const Tensor& source);
void copy(CudaContext, const Tensor& destination, const Tensor& source);

/// Every element = value, any strides.
void fill(CpuContext, const Tensor& destination, double value);
void fill(CudaContext, const Tensor& destination, double value);

}  // namespace cytograd::kernels
