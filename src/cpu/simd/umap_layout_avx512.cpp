#if defined(__x86_64__)
#include <immintrin.h>

namespace cytograd::simd {
namespace {
constexpr int kLaneBytes = 64;
}
}  // namespace cytograd::simd

#include "cpu/simd/umap_steps.inl"

namespace cytograd::simd {
namespace {

// With a mask of all lanes: GCC 12 warns of the undefined source of the forms without one.
inline UmapF umap_gather(const float* p, UmapI index) {
  return (UmapF)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), 0xffff, (__m512i)index, p, 4);
}
inline UmapI umap_gather(const int32_t* p, UmapI index) {
  return (UmapI)_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), 0xffff, (__m512i)index, p, 4);
}
inline void umap_scatter(float* p, UmapI index, UmapF x, UmapI mask) {
  _mm512_mask_i32scatter_ps(p, _mm512_movepi32_mask((__m512i)mask), (__m512i)index, (__m512)x, 4);
}
inline UmapU umap_high_product(UmapU x, uint32_t n) {
  const __m512i factor = _mm512_set1_epi32((int32_t)n);
  const __m512i upper = _mm512_maskz_srli_epi64(0xff, (__m512i)x, 32);
  const __m512i even =
      _mm512_maskz_srli_epi64(0xff, _mm512_maskz_mul_epu32(0xff, (__m512i)x, factor), 32);
  const __m512i odd = _mm512_maskz_mul_epu32(0xff, upper, factor);
  return (UmapU)_mm512_mask_blend_epi32(0xaaaa, even, odd);
}

}  // namespace
}  // namespace cytograd::simd

#include "cpu/simd/umap_layout.inl"

namespace cytograd::simd {
constinit const UmapLayoutTable umap_layout_avx512 = {umap_strip_any};
}  // namespace cytograd::simd
#endif
