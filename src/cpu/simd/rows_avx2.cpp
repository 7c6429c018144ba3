#if defined(__x86_64__)
namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 32;
}
}  // namespace cytograd::simd

#include "cpu/simd/rows.inl"

namespace cytograd::simd {

constinit const RowTable rows_avx2 = {kernels<float>, kernels<double>};

}  // namespace cytograd::simd
#endif
