namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 16;
}
}  // namespace cytograd::simd

#include "cpu/simd/channel_norm.inl"

namespace cytograd::simd {

constinit const ChannelNormTable channel_norm_portable = {kernels<float>, kernels<double>};

}  // namespace cytograd::simd
