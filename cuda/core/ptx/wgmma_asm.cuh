#pragma once

#include "cuda/core/kernel.cuh"

/// @file
/// The wgmma instruction for each width. Its operand list names every accumulator, hence the
/// macros.

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define CYTOGRAD_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define CYTOGRAD_SM90A(...) __trap()
#endif

#define CYTOGRAD_WGMMA_LIST_32 "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15"
#define CYTOGRAD_WGMMA_LIST_64                                                     \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21," \
  "%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define CYTOGRAD_WGMMA_LIST_128                                                      \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,"   \
  "%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41," \
  "%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61," \
  "%62,%63"
#define CYTOGRAD_WGMMA_LIST_256                                                      \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,"   \
  "%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41," \
  "%42,%43,%44,%45,%46,%47,%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61," \
  "%62,%63,%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81," \
  "%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,%96,%97,%98,%99,%100,"    \
  "%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111,%112,%113,%114,%115,%116," \
  "%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define CYTOGRAD_D8(i)                                                                        \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define CYTOGRAD_D16(i) CYTOGRAD_D8(i), CYTOGRAD_D8(i + 8)
#define CYTOGRAD_D32(i) CYTOGRAD_D16(i), CYTOGRAD_D16(i + 16)
#define CYTOGRAD_D64(i) CYTOGRAD_D32(i), CYTOGRAD_D32(i + 32)
#define CYTOGRAD_D128(i) CYTOGRAD_D64(i), CYTOGRAD_D64(i + 64)

// Both operands in shared memory.
#define CYTOGRAD_WGMMA(N, COUNT, A, B, P, TA, TB)                                                  \
  template <bool a_transposed, bool b_transposed>                                                  \
  __device__ __forceinline__ void wgmma_asm(float(&d)[COUNT], uint64_t a, uint64_t b,              \
                                            bool accumulate) {                                     \
    CYTOGRAD_SM90A("{.reg .pred p; setp.ne.b32 p," P                                               \
                   ",0;\n"                                                                         \
                   "wgmma.mma_async.sync.aligned.m64n" #N                                          \
                   "k16.f32.bf16.bf16 "                                                            \
                   "{" CYTOGRAD_WGMMA_LIST_##N "}," A "," B ",p,1,1," TA "," TB ";}"               \
                   : CYTOGRAD_D##COUNT(0)                                                          \
                   : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)), "n"(a_transposed ? 1 : 0), \
                     "n"(b_transposed ? 1 : 0));                                                   \
  }
// A in registers.
#define CYTOGRAD_WGMMA_A(N, COUNT, A, B, P, TB)                                                  \
  template <bool b_transposed>                                                                   \
  __device__ __forceinline__ void wgmma_asm(float(&d)[COUNT], const uint32_t(&a)[4], uint64_t b, \
                                            bool accumulate) {                                   \
    CYTOGRAD_SM90A("{.reg .pred p; setp.ne.b32 p," P                                             \
                   ",0;\n"                                                                       \
                   "wgmma.mma_async.sync.aligned.m64n" #N                                        \
                   "k16.f32.bf16.bf16 "                                                          \
                   "{" CYTOGRAD_WGMMA_LIST_##N "},{" A "}," B ",p,1,1," TB ";}"                  \
                   : CYTOGRAD_D##COUNT(0)                                                        \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b),                         \
                     "r"(static_cast<int>(accumulate)), "n"(b_transposed ? 1 : 0));              \
  }

namespace cytograd::cuda::inline CYTOGRAD_NS {

CYTOGRAD_WGMMA(32, 16, "%16", "%17", "%18", "%19", "%20")
CYTOGRAD_WGMMA_A(32, 16, "%16,%17,%18,%19", "%20", "%21", "%22")
CYTOGRAD_WGMMA(64, 32, "%32", "%33", "%34", "%35", "%36")
CYTOGRAD_WGMMA_A(64, 32, "%32,%33,%34,%35", "%36", "%37", "%38")
CYTOGRAD_WGMMA(128, 64, "%64", "%65", "%66", "%67", "%68")
CYTOGRAD_WGMMA_A(128, 64, "%64,%65,%66,%67", "%68", "%69", "%70")
CYTOGRAD_WGMMA(256, 128, "%128", "%129", "%130", "%131", "%132")
CYTOGRAD_WGMMA_A(256, 128, "%128,%129,%130,%131", "%132", "%133", "%134")

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
