#pragma once

#include "kernels/conv2d.h"

namespace cytograd::cpu {

/// 3x3 convolutions of stride 1 by F(4x4, 3x3): 36 products of tiles instead of 144
/// multiplications per output tile, at about six times the rounding error; float only.
/// docs/ops/conv2d.md derives it. A NaN or infinity makes the whole tile of 4 x 4 outputs NaN.

/// Is it possible, and likely to be faster for shape.n images? Padding is at most 2, so that the
/// data gradient is such a convolution too and every output sees input.
bool winograd_pays(const kernels::Conv2dShape& shape);

/// G w G^T of every filter, each of the 36 places packed as the B of a product [c_in, c_out].
Tensor pack_winograd(const kernels::Conv2dShape& shape, const float* weight);

/// The same of the filters turned by half a turn, for a product [c_out, c_in].
Tensor pack_winograd_backward(const kernels::Conv2dShape& shape, const float* weight);

void winograd_forward(const kernels::Conv2dShape& shape, const float* x, const Tensor& filters,
                      float* y, bool accumulate, const kernels::Epilogue<float>& epilogue);

/// As kernels::conv2d_backward_data, by the same algorithm.
void winograd_backward_data(const kernels::Conv2dShape& shape, const float* dy, const float* weight,
                            float* dx);

/// As kernels::conv2d_backward_weight.
void winograd_backward_weight(const kernels::Conv2dShape& shape, const float* x, const float* dy,
                              float* dw);

}  // namespace cytograd::cpu
