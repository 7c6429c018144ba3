#include "cpu/simd/vec_portable.h"

#include "cpu/simd/winograd.inl"

namespace cytograd::simd {

constinit const WinogradTable winograd_portable = winograd_transforms;

}  // namespace cytograd::simd
