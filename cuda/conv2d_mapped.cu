#include "cuda/conv2d/forward.h"

namespace cytograd::cuda {

void conv2d_forward_mapped(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                           const Tensor& weight, const Tensor& y,
                           const kernels::Conv2dFusion& fusion) {
  check<ValueError>(shape.groups == 1, "conv2d", "an input map has no groups");
  forward_fused<true>(ctx, shape, x, weight, y, fusion);
}

}  // namespace cytograd::cuda
