#pragma once

#include <array>
#include <cstdint>

#include "cuda/emulation/scheduler.h"

/// @file
/// Bodies of the PTX wrappers (cuda/core/ptx, which say what each does). Where the hardware may
/// choose, they choose what hurts a wrong kernel most: asynchronous results are NaN from the issue
/// on and arrive at the wait.

namespace cytograd::simt {

// matrix.cpp
void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site);
void mma_m8n8k4_f64(double (&d)[2], double a, double b, Site site);
uint32_t to_tf32(float x);
void ldmatrix_x4(uint32_t (&r)[4], const void* row, bool transposed, Site site, void* pc);
void stmatrix_x4(void* row, const uint32_t (&r)[4], bool transposed, Site site, void* pc);

// async_copy.cpp
AsyncQueues& async_queues();
void cp_async(void* to, const void* from, uint32_t bytes, uint32_t room, Site site, void* pc);
void cp_async_commit();
void cp_async_wait(int n);
void named_barrier(int id, uint32_t count, bool wait, Site site);
void red_add_v4(float* p, float4 v, void* pc);

// mbarrier.cpp
void mbarrier_init(uint64_t* barrier, uint32_t count, Site site, void* pc);
void mbarrier_arrive(uint64_t* barrier, uint32_t bytes, Site site, void* pc);
void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site, void* pc);
/// The copy engine has brought `bytes`.
void mbarrier_complete(uint64_t* barrier, uint32_t bytes);
void fence_async_proxy();

// tma.cpp
/// Offset of `p` in the dynamic shared memory of the block, its address in descriptors.
uint32_t shared_address(const void* p, Site site);
void tma_load(void* to, const cuda::TensorMap& map, uint64_t* barrier, std::array<int, 5> at,
              int rank, Site site, void* pc);
void tma_load_im2col(void* to, const cuda::TensorMap& map, uint64_t* barrier, std::array<int, 4> at,
                     uint16_t tap_w, uint16_t tap_h, Site site, void* pc);
void tma_store(const cuda::TensorMap& map, const void* from, std::array<int, 5> at, int rank,
               Site site, void* pc);
void tma_store_commit();
void tma_store_wait(int n);

// wgmma.cpp
void wgmma(Wgmma product);
void wgmma_commit();
void wgmma_wait(int n, Site site);

}  // namespace cytograd::simt
