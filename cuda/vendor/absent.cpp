#include "cuda/vendor/vendor.h"
#include "cytograd/core/error.h"

/// @file
/// A build without cuBLAS and cuDNN: the emulated one, and with CYTOGRAD_VENDOR=OFF.

namespace cytograd::cuda::vendor {

void require() {
  throw DeviceError({.id = "gpu.vendor",
                     .file = "",
                     .place = "",
                     .found = "this build has no cuBLAS and cuDNN",
                     .expected = "",
                     .hint = "pass --kernels own, or build with -DCYTOGRAD_VENDOR=ON"});
}

bool matmul(CudaContext, const Tensor&, const Tensor&, const Tensor&, const Tensor&) {
  return false;
}
bool conv2d_forward(CudaContext, const kernels::Conv2dShape&, const Tensor&, const Tensor&,
                    const Tensor&, const Tensor&) {
  return false;
}
bool conv2d_backward_data(CudaContext, const kernels::Conv2dShape&, const Tensor&, const Tensor&,
                          const Tensor&) {
  return false;
}
bool conv2d_backward_weight(CudaContext, const kernels::Conv2dShape&, const Tensor&, const Tensor&,
                            const Tensor&) {
  return false;
}

}  // namespace cytograd::cuda::vendor
