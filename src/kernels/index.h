#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// out = x at `index` along `dim`. out contiguous with the shape of index; x and index with any
/// strides. On the CPU every index is in range; on CUDA one that is not reads NaN (0 for integers)
/// and adds to nothing.
void gather(CpuContext, const Tensor& x, int dim, const Tensor& index, const Tensor& out);
void gather(CudaContext, const Tensor& x, int dim, const Tensor& index, const Tensor& out);
/// sum[.., index, ..] += src in order along `dim`. src has the shape of index; sum contiguous.
void scatter_add(CpuContext, const Tensor& sum, int dim, const Tensor& index, const Tensor& src);
void scatter_add(CudaContext, const Tensor& sum, int dim, const Tensor& index, const Tensor& src);

/// y [..., classes] = 1 at the label, 0 elsewhere; any dtype, packed.
void one_hot(CpuContext, const Tensor& labels, const Tensor& y);
void one_hot(CudaContext, const Tensor& labels, const Tensor& y);

}  // namespace cytograd::kernels
