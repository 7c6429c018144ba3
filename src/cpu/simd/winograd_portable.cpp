#include "cpu/simd/vec_portable.h"

#include "cpu/simd/winograd.inl"

namespace cytograd::simd {

constinit const WinogradTable winograd_portable = {&winograd_input, &winograd_output};

}  // namespace cytograd::simd
