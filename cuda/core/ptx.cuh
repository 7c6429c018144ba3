#pragma once

/// @file
/// Every PTX instruction that kernels use, one small function each: the instruction itself for the
/// GPU, a call into cuda/emulation for the emulated device. tests/cuda/conformance holds the two
/// together on a real GPU.

#include "cuda/core/ptx/async_copy.cuh"
#include "cuda/core/ptx/matrix.cuh"
#include "cuda/core/ptx/mbarrier.cuh"
#include "cuda/core/ptx/misc.cuh"
#include "cuda/core/ptx/tma.cuh"
#include "cuda/core/ptx/wgmma.cuh"
