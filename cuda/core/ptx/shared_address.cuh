#pragma once

#include "cuda/core/kernel.cuh"

#if defined(__CUDACC__)
// An instruction of sm_90; older code stops the kernel, which the launchers never let happen.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define CYTOGRAD_SM90(...) asm volatile(__VA_ARGS__)
#else
#define CYTOGRAD_SM90(...) __trap()
#endif

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Address in the shared window, as PTX wants it.
__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
#endif
