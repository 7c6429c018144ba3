// The formulas of UMAP's layout on vectors of kLaneBytes. Only multiplications, additions,
// divisions and selections, so that every instruction set gives the same bits.
#include <stdint.h>

namespace cytograd::simd {
namespace {

typedef float UmapF __attribute__((vector_size(kLaneBytes)));
typedef int32_t UmapI __attribute__((vector_size(kLaneBytes)));
typedef uint32_t UmapU __attribute__((vector_size(kLaneBytes)));
constexpr int64_t kUmapLanes = kLaneBytes / 4;

inline UmapF umap_all(float x) { return x - UmapF{}; }

// x^b within 3e-6 for 1e-30 <= x <= 1e30, |b log2(x)| < 120; x is raised to 1e-30.
inline UmapF umap_power(UmapF x, float b) {
  x = x < 1e-30f ? umap_all(1e-30f) : x;
  // x = 2^n m with m in [sqrt(1/2), sqrt(2)); log2(m) = f q(f), f = m - 1 (minimax).
  const UmapI bits = (UmapI)x;
  const UmapI n = (bits - 0x3f3504f3) >> 23;
  const UmapF f = (UmapF)(bits - (n << 23)) - 1.0f;
  UmapF q = f * -0.145809788f + 0.234041556f;
  q = q * f - 0.248877131f;
  q = q * f + 0.287098812f;
  q = q * f - 0.360239628f;
  q = q * f + 0.480923238f;
  q = q * f - 0.721352788f;
  q = q * f + 1.44269496f;
  const UmapF t = b * (__builtin_convertvector(n, UmapF) + f * q);
  // 2^t = 2^k 2^r, |r| <= 1/2; adding 1.5 * 2^23 rounds to an integer.
  const UmapF shifted = t + 12582912.0f;
  const UmapF r = t - (shifted - 12582912.0f);
  UmapF p = r * 1.32764668e-3f + 9.67554129e-3f;
  p = p * r + 5.55071329e-2f;
  p = p * r + 0.240221197f;
  p = p * r + 0.693146967f;
  p = p * r + 1.00000007f;
  return (UmapF)((UmapI)p + (((UmapI)shifted - 0x4b400000) << 23));
}

inline UmapF umap_clip(UmapF x) {
  x = x < -4.0f ? umap_all(-4.0f) : x;
  return x > 4.0f ? umap_all(4.0f) : x;
}

// Factor of (x_j - x_k) that draws j to k, from the squared distance; 0 where they coincide.
inline UmapF umap_attraction(UmapF squared, float a, float b) {
  const UmapF p = umap_power(squared, b - 1.0f);
  const UmapF c = (-2.0f * a * b) * p / (1.0f + a * (p * squared));
  return squared > 0.0f ? c : UmapF{};
}

// Factor of (x_j - x_k) that drives j off a random point k; 0 where they coincide.
inline UmapF umap_repulsion(UmapF squared, float a, float b, float strength) {
  const UmapF p = umap_power(squared, b);
  const UmapF c = (2.0f * strength * b) / ((0.001f + squared) * (1.0f + a * p));
  return squared > 0.0f ? c : UmapF{};
}

// A 32-bit mixing function with two multiplications.
inline UmapU umap_mix(UmapU x) {
  x = (x ^ (x >> 16)) * 0x21f0aaadu;
  x = (x ^ (x >> 15)) * 0xd35a2d97u;
  return x ^ (x >> 15);
}

// The random bits of draw `number` of a visit: `base` is umap_mix(edge ^ salt[0]) + salt[1].
inline UmapU umap_draw(UmapU base, uint32_t number) {
  return umap_mix(base + number * 0x9E3779B9u);
}

}  // namespace
}  // namespace cytograd::simd
