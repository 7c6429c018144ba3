namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 16;
}
}  // namespace cytograd::simd

#include "cpu/simd/rows.inl"

namespace cytograd::simd {

constinit const RowTable rows_portable = {kernels<float>, kernels<double>};

}  // namespace cytograd::simd
