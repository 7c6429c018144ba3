namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 16;
}
}  // namespace cytograd::simd

#include "cpu/simd/umap_steps.inl"

namespace cytograd::simd {
namespace {

inline UmapF umap_gather(const float* p, UmapI index) {
  UmapF out;
  for (int64_t l = 0; l < kUmapLanes; ++l) out[l] = p[index[l]];
  return out;
}
inline UmapI umap_gather(const int32_t* p, UmapI index) {
  UmapI out;
  for (int64_t l = 0; l < kUmapLanes; ++l) out[l] = p[index[l]];
  return out;
}
inline void umap_scatter(float* p, UmapI index, UmapF x, UmapI mask) {
  for (int64_t l = 0; l < kUmapLanes; ++l)
    if (mask[l]) p[index[l]] = x[l];
}
inline UmapU umap_high_product(UmapU x, uint32_t n) {
  UmapU out;
  for (int64_t l = 0; l < kUmapLanes; ++l) out[l] = (uint32_t)(((uint64_t)x[l] * n) >> 32);
  return out;
}

}  // namespace
}  // namespace cytograd::simd

#include "cpu/simd/umap_layout.inl"

namespace cytograd::simd {
constinit const UmapLayoutTable umap_layout_portable = {umap_strip_any};
}  // namespace cytograd::simd
