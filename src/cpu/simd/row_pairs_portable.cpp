namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 16;
}
}  // namespace cytograd::simd

#include "cpu/simd/row_pairs.inl"

namespace cytograd::simd {

constinit const RowPairTable row_pairs_portable = {kernels<float>, kernels<double>};

}  // namespace cytograd::simd
