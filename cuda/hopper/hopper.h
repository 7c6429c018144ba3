#pragma once

#include <optional>

#include "cuda/gemm/multiply.cuh"
#include "kernels/context.h"

/// @file
/// Products that run on wgmma where the device has it. Each returns the rows of tiles, or nothing
/// when the kernel is not for this device or shape; then the caller uses its own.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Both operands copied by TMA. `*_along` as of the matrices.
std::optional<int> hopper_matmul(
    const char* op, CudaContext ctx,
    const Problem<MatrixSource<bfloat16>, MatrixSource<bfloat16>, bfloat16>& p, Along a_along,
    Along b_along);

/// The three passes of a convolution: patches gathered, matrices by TMA.
std::optional<int> hopper_conv2d(
    CudaContext ctx, const Problem<PatchSource<bfloat16>, MatrixSource<bfloat16>, bfloat16>& p);
std::optional<int> hopper_conv2d_backward_data(
    CudaContext ctx, const Problem<PatchSource<bfloat16>, FilterSource<bfloat16>, bfloat16>& p);
std::optional<int> hopper_conv2d_backward_weight(
    CudaContext ctx, const Problem<MatrixSource<bfloat16>, PixelSource<bfloat16>, bfloat16>& p);

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
