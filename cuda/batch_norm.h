#pragma once

#include "kernels/batch_norm.h"

namespace cytograd::kernels {

/// The norm as x * scale + shift; float32 [C].
void batch_norm_map(CudaContext, const BatchNormVectors& v, const Tensor& scale,
                    const Tensor& shift);

}  // namespace cytograd::kernels
