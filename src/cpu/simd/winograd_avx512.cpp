#if defined(__x86_64__)
#include "cpu/simd/vec_avx512.h"

#include "cpu/simd/winograd.inl"

namespace cytograd::simd {

constinit const WinogradTable winograd_avx512 = winograd_transforms;

}  // namespace cytograd::simd
#endif
