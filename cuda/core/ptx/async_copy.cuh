#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"

#if !defined(__CUDACC__)
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// cp.async: copies from global to shared memory that go on while the thread computes. Until the
/// wait the bytes in shared memory are undefined (the emulation makes them NaN); after it only the
/// waiting thread sees them, the others after a barrier.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// 16 bytes, or 16 zeros if not `wanted` (then `from` is not read but must be a valid address).
CYTOGRAD_INSTRUCTION void cp_async16(void* to, const void* from, bool wanted = true CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("cp.async.cg.shared.global [%0],[%1],16,%2;" ::"r"(shared_address(to)), "l"(from),
               "r"(wanted ? 16 : 0)
               : "memory");
#else
  ::cytograd::simt::cp_async(to, from, wanted ? 16 : 0, 16, site, CYTOGRAD_CALLER);
#endif
}
/// 8 bytes, or zeros.
CYTOGRAD_INSTRUCTION void cp_async8(void* to, const void* from, bool wanted = true CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("cp.async.ca.shared.global [%0],[%1],8,%2;" ::"r"(shared_address(to)), "l"(from),
               "r"(wanted ? 8 : 0)
               : "memory");
#else
  ::cytograd::simt::cp_async(to, from, wanted ? 8 : 0, 8, site, CYTOGRAD_CALLER);
#endif
}
/// 4 bytes, or zeros.
CYTOGRAD_INSTRUCTION void cp_async4(void* to, const void* from, bool wanted = true CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("cp.async.ca.shared.global [%0],[%1],4,%2;" ::"r"(shared_address(to)), "l"(from),
               "r"(wanted ? 4 : 0)
               : "memory");
#else
  ::cytograd::simt::cp_async(to, from, wanted ? 4 : 0, 4, site, CYTOGRAD_CALLER);
#endif
}
/// Closes the group of the copies since the last commit.
CYTOGRAD_INSTRUCTION void cp_async_commit() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  ::cytograd::simt::cp_async_commit();
#endif
}
/// Waits until at most `n` groups of this thread are under way.
template <int n>
CYTOGRAD_INSTRUCTION void cp_async_wait() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
#else
  ::cytograd::simt::cp_async_wait(n);
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
