#if defined(__x86_64__)
#include "cpu/simd/adam.inl"

namespace cytograd::simd {

constinit const AdamTable adam_avx2 = {adam<float>, adam<double>};

}  // namespace cytograd::simd
#endif
