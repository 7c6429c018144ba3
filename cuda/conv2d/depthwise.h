#pragma once

#include "kernels/conv2d.h"

namespace cytograd::cuda {

/// One filter per channel: too little arithmetic per element for a product of matrices.
inline bool is_depthwise(const kernels::Conv2dShape& s) {
  return s.groups == s.c_in && s.groups == s.c_out && s.groups > 1 && s.x_pitch == 0 &&
         s.y_pitch == 0;
}

// As the kernels of kernels/conv2d.h; conv2d_depthwise.cu.
void depthwise_forward(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& x,
                       const Tensor& weight, const Tensor& bias, const Tensor& y);
void depthwise_backward_data(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& dy,
                             const Tensor& weight, const Tensor& dx);
void depthwise_backward_weight(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& x,
                               const Tensor& dy, const Tensor& dw);

}  // namespace cytograd::cuda
