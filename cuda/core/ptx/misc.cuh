#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"

#if !defined(__CUDACC__)
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// Named barriers, vector atomics, register budget.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Barrier 1 to 15 of `count` threads, whole warps; 0 is __syncthreads.
CYTOGRAD_INSTRUCTION void named_barrier_sync(int id, uint32_t count CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("bar.sync %0,%1;" ::"r"(id), "r"(count) : "memory");
#else
  ::cytograd::simt::named_barrier(id, count, true, site);
#endif
}
/// Arrives without waiting.
CYTOGRAD_INSTRUCTION void named_barrier_arrive(int id, uint32_t count CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("bar.arrive %0,%1;" ::"r"(id), "r"(count) : "memory");
#else
  ::cytograd::simt::named_barrier(id, count, false, site);
#endif
}

/// p[0..3] += v in global memory, each atomically; `p` is a multiple of 16 bytes. One instruction
/// on sm_90, four before.
CYTOGRAD_INSTRUCTION void red_add_v4(float* p, float4 v) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("red.global.add.v4.f32 [%0],{%1,%2,%3,%4};" ::"l"(p), "f"(v.x), "f"(v.y), "f"(v.z),
               "f"(v.w)
               : "memory");
#elif defined(__CUDACC__)
  atomicAdd(p, v.x);
  atomicAdd(p + 1, v.y);
  atomicAdd(p + 2, v.z);
  atomicAdd(p + 3, v.w);
#else
  ::cytograd::simt::red_add_v4(p, v, CYTOGRAD_CALLER);
#endif
}

/// Registers per thread of this warpgroup from now on; a multiple of 8 from 24 to 256. sm_90.
template <int registers>
CYTOGRAD_INSTRUCTION void more_registers() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
#endif
}
template <int registers>
CYTOGRAD_INSTRUCTION void fewer_registers() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
