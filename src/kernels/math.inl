// The functions of kernels/math.h that are written out, once for all compilers and instruction sets: math.h includes
// them into its namespace, the units of cpu/simd into one of their own, because they may share no inline function
// (gemm_table.h). Needs CYTOGRAD_HD, bits_of(float), float_of(uint32_t) and exp(double).

/// exp within 2 units in the last place for float (tests/ops/math_test.cpp).
///
/// x = n ln 2 + r, |r| <= ln(2)/2; exp(r) by 1 + r + r^2 q(r), q of degree 4
/// (minimax in relative error).
CYTOGRAD_HD inline float exp(float x) {
  x = x < -104.0f ? -104.0f : x;  // below it rounds to 0; NaN passes
  x = x > 89.0f ? 89.0f : x;      // above it is +inf
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  constexpr float shift = 12582912.0f;
  const float t = x * 1.44269504f + shift;
  const float n = t - shift;
  // ln 2 in two parts; the first has few bits, so that n times it is exact.
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.3814613e-3f;
  p = p * r + 8.3687098e-3f;
  p = p * r + 4.16683874e-2f;
  p = p * r + 1.66665207e-1f;
  p = p * r + 4.99999935e-1f;
  p = (p * (r * r) + r) + 1.0f;
  // 2^n as a product of two powers: n reaches from -150 to 128, past the range of one exponent.
  const uint32_t whole = bits_of(t) - bits_of(shift);
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(whole) >> 1);
  const float a = float_of((half + 127u) << 23);
  const float b = float_of((whole - half + 127u) << 23);
  return p * a * b;
}

/// 1 / (1 + exp(-x)) without overflow, accurate in both tails.
template <class T>
CYTOGRAD_HD inline T sigmoid(T x) {
  const T e = exp(x < T(0) ? x : -x), inverse = T(1) / (T(1) + e);
  return x < T(0) ? e * inverse : inverse;
}

/// tanh within 2 units in the last place for float: x + x^3 q(x^2) near 0, q of degree 4 (minimax),
/// else 1 - 2 / (exp(2|x|) + 1).
CYTOGRAD_HD inline float tanh(float x) {
  const float size = x < 0.0f ? -x : x, u = x * x;
  float q = -5.70498633e-3f;
  q = q * u + 2.06390866e-2f;
  q = q * u - 5.37397148e-2f;
  q = q * u + 1.33314422e-1f;
  q = q * u - 3.33332819e-1f;
  const float near = x + x * (u * q);
  const float far = 1.0f - 2.0f / (exp(2.0f * size) + 1.0f);
  return size < 0.625f ? near : x < 0.0f ? -far : far;
}
