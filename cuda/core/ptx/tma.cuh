#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"
#include "cuda/core/tensor_map.h"

#if !defined(__CUDACC__)
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// TMA: one thread asks the copy engine for a whole tile; the mbarrier gets its bytes when it is
/// there. The tile lies in dynamic shared memory, 128-byte aligned (1024 with 128-byte swizzle):
/// rows of box[0] elements without gaps; with swizzle s the 16-byte chunks of a row are exchanged
/// (address bits 4..6 XOR bits 7..9 for 128). sm_90.

namespace cytograd::cuda::inline CYTOGRAD_NS {

#if defined(__CUDACC__)
#define CYTOGRAD_TMA_LOAD(D, MODE, COORDINATES, ...)                      \
  CYTOGRAD_SM90("cp.async.bulk.tensor." D ".shared::cluster.global." MODE \
                ".mbarrier::complete_tx::bytes [%0],[%1,{" COORDINATES    \
                ";" ::"r"(shared_address(to)),                            \
                "l"(&map), "r"(shared_address(barrier)), __VA_ARGS__      \
                : "memory")
#endif

/// Tile whose first element is (x, y) of the tensor; coordinates may be negative.
CYTOGRAD_INSTRUCTION void tma_load_2d(void* to, const TensorMap& map, uint64_t* barrier, int x,
                                      int y CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_TMA_LOAD("2d", "tile", "%3,%4}],[%2]", "r"(x), "r"(y));
#else
  ::cytograd::simt::tma_load(to, map, barrier, {x, y}, 2, site, CYTOGRAD_CALLER);
#endif
}
CYTOGRAD_INSTRUCTION void tma_load_3d(void* to, const TensorMap& map, uint64_t* barrier, int x,
                                      int y, int z CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_TMA_LOAD("3d", "tile", "%3,%4,%5}],[%2]", "r"(x), "r"(y), "r"(z));
#else
  ::cytograd::simt::tma_load(to, map, barrier, {x, y, z}, 3, site, CYTOGRAD_CALLER);
#endif
}
CYTOGRAD_INSTRUCTION void tma_load_4d(void* to, const TensorMap& map, uint64_t* barrier, int x,
                                      int y, int z, int w CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_TMA_LOAD("4d", "tile", "%3,%4,%5,%6}],[%2]", "r"(x), "r"(y), "r"(z), "r"(w));
#else
  ::cytograd::simt::tma_load(to, map, barrier, {x, y, z, w}, 4, site, CYTOGRAD_CALLER);
#endif
}
/// `pixels` positions from (w, h, n) on, each shifted by the filter tap (tap_w, tap_h), channels
/// from c on. @param map an `Im2colMap`
CYTOGRAD_INSTRUCTION void tma_load_im2col(void* to, const TensorMap& map, uint64_t* barrier, int c,
                                          int w, int h, int n, uint16_t tap_w,
                                          uint16_t tap_h CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_TMA_LOAD("4d", "im2col", "%3,%4,%5,%6}],[%2],{%7,%8}", "r"(c), "r"(w), "r"(h), "r"(n),
                    "h"(tap_w), "h"(tap_h));
#else
  ::cytograd::simt::tma_load_im2col(to, map, barrier, {c, w, h, n}, tap_w, tap_h, site,
                                    CYTOGRAD_CALLER);
#endif
}
/// Tile from shared to global memory; elements outside the tensor are left out. Needs
/// `fence_async_proxy` after the ordinary stores of the tile, then `tma_store_commit`.
CYTOGRAD_INSTRUCTION void tma_store_2d(const TensorMap& map, const void* from, int x,
                                       int y CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0,{%2,%3}],[%1];" ::"l"(&map),
      "r"(shared_address(from)), "r"(x), "r"(y)
      : "memory");
#else
  ::cytograd::simt::tma_store(map, from, {x, y}, 2, site, CYTOGRAD_CALLER);
#endif
}
CYTOGRAD_INSTRUCTION void tma_store_commit() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("cp.async.bulk.commit_group;" ::: "memory");
#else
  ::cytograd::simt::tma_store_commit();
#endif
}
/// Waits until all but the last n groups of stores have been read from shared memory, which may
/// then be written again.
template <int n>
CYTOGRAD_INSTRUCTION void tma_store_wait() {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("cp.async.bulk.wait_group.read %0;" ::"n"(n) : "memory");
#else
  ::cytograd::simt::tma_store_wait(n);
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
