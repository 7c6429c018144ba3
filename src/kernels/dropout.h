#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

struct DropoutParams {
  uint64_t key = 0;        ///< of the stream
  uint64_t threshold = 0;  ///< an element is dropped if its 32-bit draw is below it
  double scale = 1;        ///< of what is kept
};

/// y = x * (draw(i) >= threshold ? scale : 0); element i takes word i % 4 of
/// random::philox_at(key, i / 4).
/// x, y contiguous. Its own backward.
void dropout(CpuContext, const Tensor& x, DropoutParams params, const Tensor& y);
void dropout(CudaContext, const Tensor& x, DropoutParams params, const Tensor& y);

}  // namespace cytograd::kernels
