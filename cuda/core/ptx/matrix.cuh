#pragma once

#include "cuda/core/kernel.cuh"
#include "cuda/core/ptx/shared_address.cuh"

#if !defined(__CUDACC__)
#include "cuda/emulation/instructions.h"
#endif

/// @file
/// Warp-wide matrix products and the moves between shared memory and their fragments. All 32 lanes
/// take part. With g = lane / 4 and t = lane % 4, a lane holds
///   C, D [16, 8]        d[0..1]: row g, columns 2t, 2t+1; d[2..3]: the same of row g + 8
///   A [16, 16] bfloat16 a[0]: row g, k 2t, 2t+1; a[1]: row g + 8; a[2], a[3]: the same at k + 8
///   B [16, 8] bfloat16  b[0]: k 2t, 2t+1 of column g; b[1]: the same at k + 8
///   A [16, 8] tf32      a[0]: row g, k t; a[1]: row g + 8; a[2], a[3]: the same at k + 4
///   B [8, 8] tf32       b[0]: k t of column g; b[1]: k t + 4

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// D[16, 8] += A[16, 16] B[16, 8]; bfloat16 inputs in pairs, float sums.
CYTOGRAD_INSTRUCTION void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2] CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  ::cytograd::simt::mma_m16n8k16_bf16(d, a, b, site);
#endif
}

/// D[16, 8] += A[16, 8] B[8, 8]; inputs are the bits of floats, of which the upper 19 count
/// (`to_tf32` rounds to those).
CYTOGRAD_INSTRUCTION void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4],
                                           const uint32_t (&b)[2] CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  ::cytograd::simt::mma_m16n8k8_tf32(d, a, b, site);
#endif
}

/// D[8, 8] += A[8, 4] B[4, 8] in double. a: row g, k t; b: k t, column g; d: row g, columns 2t,
/// 2t+1.
CYTOGRAD_INSTRUCTION void mma_m8n8k4_f64(double (&d)[2], double a, double b CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1},{%2},{%3},{%0,%1};"
               : "+d"(d[0]), "+d"(d[1])
               : "d"(a), "d"(b));
#else
  ::cytograd::simt::mma_m8n8k4_f64(d, a, b, site);
#endif
}

/// The bits of `x` rounded to 10 bits after the point, halves away from zero.
CYTOGRAD_INSTRUCTION uint32_t to_tf32(float x) {
#if defined(__CUDACC__)
  uint32_t out;
  asm("cvt.rna.tf32.f32 %0,%1;" : "=r"(out) : "f"(x));
  return out;
#else
  return ::cytograd::simt::to_tf32(x);
#endif
}

/// Four 8x8 matrices of 16-bit elements. Lane 8i + r gives the address of row r (16 bytes, aligned)
/// of matrix i; r[i] becomes elements 2t, 2t+1 of row g of matrix i.
CYTOGRAD_INSTRUCTION void ldmatrix_x4(uint32_t (&r)[4], const void* row CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  ::cytograd::simt::ldmatrix_x4(r, row, false, site, CYTOGRAD_CALLER);
#endif
}
/// The same of the transposed matrices: elements 2t, 2t+1 of column g.
CYTOGRAD_INSTRUCTION void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
#else
  ::cytograd::simt::ldmatrix_x4(r, row, true, site, CYTOGRAD_CALLER);
#endif
}
/// The inverse of `ldmatrix_x4`. sm_90.
CYTOGRAD_INSTRUCTION void stmatrix_x4(void* row, const uint32_t (&r)[4] CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90(
      "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0],{%1,%2,%3,%4};" ::"r"(shared_address(row)),
      "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
      : "memory");
#else
  ::cytograd::simt::stmatrix_x4(row, r, false, site, CYTOGRAD_CALLER);
#endif
}
/// The inverse of `ldmatrix_x4_trans`. sm_90.
CYTOGRAD_INSTRUCTION void stmatrix_x4_trans(void* row, const uint32_t (&r)[4] CYTOGRAD_LINE) {
#if defined(__CUDACC__)
  CYTOGRAD_SM90("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0],{%1,%2,%3,%4};" ::"r"(
                    shared_address(row)),
                "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
                : "memory");
#else
  ::cytograd::simt::stmatrix_x4(row, r, true, site, CYTOGRAD_CALLER);
#endif
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
