#if defined(__x86_64__)
#include <immintrin.h>

namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 32;
}
}  // namespace cytograd::simd

#include "cpu/simd/umap_steps.inl"

namespace cytograd::simd {
namespace {

inline UmapF umap_gather(const float* p, UmapI index) {
  return (UmapF)_mm256_i32gather_ps(p, (__m256i)index, 4);
}
inline UmapI umap_gather(const int32_t* p, UmapI index) {
  return (UmapI)_mm256_i32gather_epi32(p, (__m256i)index, 4);
}
inline void umap_scatter(float* p, UmapI index, UmapF x, UmapI mask) {
  for (int64_t l = 0; l < kUmapLanes; ++l)
    if (mask[l]) p[index[l]] = x[l];
}
inline UmapU umap_high_product(UmapU x, uint32_t n) {
  const __m256i factor = _mm256_set1_epi32((int32_t)n);
  const __m256i even = _mm256_srli_epi64(_mm256_mul_epu32((__m256i)x, factor), 32);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)x, 32), factor);
  return (UmapU)_mm256_blend_epi32(even, odd, 0xaa);
}

}  // namespace
}  // namespace cytograd::simd

#include "cpu/simd/umap_layout.inl"

namespace cytograd::simd {
constinit const UmapLayoutTable umap_layout_avx2 = {umap_strip_any};
}  // namespace cytograd::simd
#endif
