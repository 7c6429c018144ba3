#if defined(__x86_64__)
#include "cpu/simd/vec_avx2.h"

#include "cpu/simd/winograd.inl"

namespace cytograd::simd {

constinit const WinogradTable winograd_avx2 = winograd_transforms;

}  // namespace cytograd::simd
#endif
