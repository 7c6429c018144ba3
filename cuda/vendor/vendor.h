#pragma once

#include "kernels/context.h"
#include "kernels/conv2d.h"

/// @file
/// cuBLASLt and cuDNN in the place of our own matrix products and convolutions: for comparison, and
/// as an independent oracle on a GPU. Asked by the kernels of matmul.cu and conv2d*.cu where
/// `cuda_kernels()` says so. Float32 (TF32 where `tf32()`) and bfloat16; deterministic algorithms
/// only; workspace from our allocator. The libraries are loaded when they are first needed, so that
/// programs start without them. docs/cuda.md.

namespace cytograd::cuda::vendor {

/// Loads the libraries. @throws DeviceError gpu.vendor if this build or machine has none
void require();

// As the kernels of kernels/matmul.h and kernels/conv2d.h. Return false, with nothing done, where
// the library is not asked (float64, slices of wider pixels, empty tensors) or offers no
// deterministic algorithm: our own kernel runs then. @throws DeviceError gpu.failed with the
// library's status and the operation
bool matmul(CudaContext ctx, const Tensor& a, const Tensor& b, const Tensor& bias, const Tensor& c);
bool conv2d_forward(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, const Tensor& y);
bool conv2d_backward_data(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx);
bool conv2d_backward_weight(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw);

}  // namespace cytograd::cuda::vendor
