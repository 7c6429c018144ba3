#include "cpu/simd/adam.inl"

namespace cytograd::simd {

constinit const AdamTable adam_portable = {adam<float>, adam<double>};

}  // namespace cytograd::simd
