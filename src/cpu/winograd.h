#pragma once

#include "kernels/conv2d.h"

namespace cytograd::cpu {

/// 3x3 convolutions of stride 1 by F(4x4, 3x3): 36 products of tiles instead of 144
/// multiplications per output tile, at about four times the rounding error; float only.
/// docs/ops/conv2d.md derives it.

/// Is it likely to be faster for shape.n images?
bool winograd_pays(const kernels::Conv2dShape& shape);

/// G w G^T of every filter, each of the 36 places packed as the B of a product [c_in, c_out].
Tensor pack_winograd(const kernels::Conv2dShape& shape, const float* weight);

void winograd_forward(const kernels::Conv2dShape& shape, const float* x, const Tensor& filters,
                      float* y, bool accumulate, const kernels::Epilogue<float>& epilogue);

}  // namespace cytograd::cpu
