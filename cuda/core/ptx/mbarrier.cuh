#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"

#if !defined(__CUDACC__)
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// mbarrier: 8 bytes of shared memory that count arrivals and bytes of asynchronous copies. A phase
/// ends when `count` arrivals and all expected bytes are in; the next begins at once. sm_90 (`wait`
/// by parity).

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// One thread, before anybody uses it; then `mbarrier_init_fence` and a block barrier.
CYTOGRAD_INSTRUCTION void mbarrier_init(uint64_t* barrier, uint32_t count CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("mbarrier.init.shared::cta.b64 [%0],%1;" ::"r"(shared_address(barrier)), "r"(count)
                : "memory");
#else
  ::cytograd::simt::mbarrier_init(barrier, count, site, CYTOGRAD_CALLER);
#endif
}
/// Shows initialised barriers to the copy engine.
CYTOGRAD_INSTRUCTION void mbarrier_init_fence() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
  ::cytograd::simt::fence_async_proxy();
#endif
}
CYTOGRAD_INSTRUCTION void mbarrier_arrive(uint64_t* barrier CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90(
      "{.reg .b64 t; mbarrier.arrive.shared::cta.b64 t,[%0];}" ::"r"(shared_address(barrier))
      : "memory");
#else
  ::cytograd::simt::mbarrier_arrive(barrier, 0, site, CYTOGRAD_CALLER);
#endif
}
/// Arrives and says how many bytes copies will bring in this phase.
CYTOGRAD_INSTRUCTION void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("{.reg .b64 t; mbarrier.arrive.expect_tx.shared::cta.b64 t,[%0],%1;}" ::"r"(
                    shared_address(barrier)),
                "r"(bytes)
                : "memory");
#else
  ::cytograd::simt::mbarrier_arrive(barrier, bytes, site, CYTOGRAD_CALLER);
#endif
}
/// Waits for the end of the phase with this parity (0 for the first, 1 for the second, ...).
CYTOGRAD_INSTRUCTION void mbarrier_wait(uint64_t* barrier, uint32_t parity CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90(
      "{.reg .pred p;\n"
      "AGAIN_%=: mbarrier.try_wait.parity.shared::cta.b64 p,[%0],%1;\n"
      "@!p bra AGAIN_%=;}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
#else
  ::cytograd::simt::mbarrier_wait(barrier, parity, site, CYTOGRAD_CALLER);
#endif
}
/// Shows this thread's ordinary stores to shared memory to the async proxy (wgmma, TMA). A barrier
/// must follow before another thread starts those.
CYTOGRAD_INSTRUCTION void fence_async_proxy() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("fence.proxy.async.shared::cta;" ::: "memory");
#else
  ::cytograd::simt::fence_async_proxy();
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
