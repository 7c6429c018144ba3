#pragma once

#include <cstdint>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// y[r, c] = x[r, c] * scale[c] + shift[c], negative results as 0 when `relu` (NaN stays). Rows
/// begin x_pitch and y_pitch elements apart; y may be x. float and double.
template <class T>
void affine(int64_t rows, int64_t channels, const T* x, int64_t x_pitch, const T* scale,
            const T* shift, bool relu, T* y, int64_t y_pitch);

/// The same of images x and y [N, ..., C] on a device; scale and shift in float32, float64 for
/// float64. float32, float64, bfloat16.
void affine(CudaContext, const Tensor& x, int64_t x_pitch, const Tensor& scale, const Tensor& shift,
            bool relu, const Tensor& y, int64_t y_pitch);

}  // namespace cytograd::kernels
