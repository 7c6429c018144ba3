#include "cuda/conv2d/depthwise.h"
#include "cuda/conv2d/forward.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"

bool cytograd::cuda::rounds_products(Dtype dtype) {
  return dtype == Dtype::bfloat16 || (dtype == Dtype::float32 && tf32());
}

namespace cytograd::kernels {

void conv2d_forward(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, const Tensor& y) {
  if (y.numel() == 0) return;
  if (cuda_kernels() == CudaKernels::vendor &&
      cuda::vendor::conv2d_forward(ctx, shape, x, weight, bias, y))
    return;
  if (cuda::is_depthwise(shape)) return cuda::depthwise_forward(ctx, shape, x, weight, bias, y);
  conv2d_forward(ctx, shape, x, weight, y, Conv2dFusion{.bias = bias});
}

void conv2d_forward(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                    const Tensor& weight, const Tensor& y, const Conv2dFusion& fusion) {
  if (y.numel() == 0) return;
  if (fusion.input_scale.defined())
    return cuda::conv2d_forward_mapped(ctx, shape, x, weight, y, fusion);
  cuda::forward_fused<false>(ctx, shape, x, weight, y, fusion);
}

}  // namespace cytograd::kernels
