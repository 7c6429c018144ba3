#pragma once

#include "kernels/conv2d.h"

namespace cytograd::kernels {

/// What else a convolution on the device does while it loads its input and stores its output; each
/// is a pass over memory that need not happen. Undefined tensors: not wanted.
struct Conv2dFusion {
  Tensor bias{};      ///< [c_out], the dtype of y
  Tensor residual{};  ///< like y and packed; added before relu
  bool relu = false;
  bool accumulate = false;  ///< y is added to, not overwritten
  /// float32 [c_in]: the input is max(x * scale + shift, 0), its padding zero. Without groups.
  /// Cheap for 1x1 filters, where an element is loaded once per 128 output channels.
  Tensor input_scale{}, input_shift{};
  /// float32 [c_out], written: mean and biased variance over all pixels of what was stored. Summed
  /// relative to `shift` (float32 [c_out], say the running mean), against cancellation.
  Tensor mean{}, variance{}, shift{};
};

/// y = the convolution of x with weight; x and y may be slices of wider pixels (x_pitch, y_pitch).
/// float32, float64, bfloat16. Deterministic.
void conv2d_forward(CudaContext, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                    const Tensor& y, const Conv2dFusion& fusion);

/// dw = the gradient by the filters of a convolution whose input was mapped as in Conv2dFusion.
void conv2d_backward_weight(CudaContext, const Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw, const Tensor& input_scale,
                            const Tensor& input_shift);

}  // namespace cytograd::kernels

namespace cytograd::cuda {

/// Do products of this type have fewer digits than a float32 (bfloat16, TF32)?
bool rounds_products(Dtype dtype);

/// conv2d_forward with an input map; conv2d_mapped.cu.
void conv2d_forward_mapped(CudaContext ctx, const kernels::Conv2dShape& shape, const Tensor& x,
                           const Tensor& weight, const Tensor& y,
                           const kernels::Conv2dFusion& fusion);

}  // namespace cytograd::cuda
