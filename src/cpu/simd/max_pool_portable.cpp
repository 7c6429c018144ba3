namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 16;
}
}  // namespace cytograd::simd

#include "cpu/simd/max_pool.inl"

namespace cytograd::simd {

constinit const MaxPoolTable max_pool_portable = {max_window<float, int32_t>,
                                                  max_window<double, int64_t>};

}  // namespace cytograd::simd
