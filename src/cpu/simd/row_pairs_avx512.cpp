#if defined(__x86_64__)
namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 64;
}
}  // namespace cytograd::simd

#include "cpu/simd/row_pairs.inl"

namespace cytograd::simd {

constinit const RowPairTable row_pairs_avx512 = {kernels<float>, kernels<double>};

}  // namespace cytograd::simd
#endif
