#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// out = x at `index` along `dim`. out contiguous with the shape of index; x and index with any
/// strides; every index in range.
void gather(CpuContext, const Tensor& x, int dim, const Tensor& index, const Tensor& out);
/// sum[.., index, ..] += src in order along `dim`. src has the shape of index; sum contiguous.
void scatter_add(CpuContext, const Tensor& sum, int dim, const Tensor& index, const Tensor& src);

}  // namespace cytograd::kernels
