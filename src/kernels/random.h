#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/math.h"

/// @file
/// Random numbers by index, for kernels: the same bits on every device. Only operations that are
/// rounded exactly occur here; a CUDA file that includes this is compiled without contraction
/// (-fmad=false).

namespace cytograd::random {

struct Words {
  uint32_t w[4];
};

/// One Philox 4x32-10 block (Salmon et al. 2011): the draws number 4 counter to 4 counter + 3 of
/// the stream `key`.
CYTOGRAD_HD inline Words philox(Words c, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c.w[0], p1 = uint64_t{0xCD9E8D57u} * c.w[2];
    c = {{static_cast<uint32_t>(p1 >> 32) ^ c.w[1] ^ key0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.w[3] ^ key1, static_cast<uint32_t>(p0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}
CYTOGRAD_HD inline Words philox_at(uint64_t key, uint64_t counter) {
  return philox({{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0}},
                static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
}

/// Uniform in [0, 1), 53 bits.
CYTOGRAD_HD inline double uniform(uint32_t low, uint32_t high) {
  return static_cast<double>((static_cast<uint64_t>(high) << 32 | low) >> 11) * 0x1p-53;
}

/// Natural logarithm of 2^-53 <= u <= 1: with u = m 2^e and s = (m - 1) / (m + 1), log m is
/// 2 (s + s^3/3 + s^5/5 + ...); |s| <= 0.172.
CYTOGRAD_HD inline double log_unit(double u) {
  int exponent;
  double m = std::frexp(u, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double series = 0;
  for (int k = 25; k >= 3; k -= 2) series = (series + 1.0 / k) * s2;
  return 2 * (s + s * series) + static_cast<double>(exponent) * 0.69314718055994531;
}

/// cos(2 pi v) for 0 <= v < 1, by the series of sine or cosine within an eighth of a turn.
CYTOGRAD_HD inline double cos_turn(double v) {
  const double quarters = v * 4;
  const int quadrant = static_cast<int>(quarters + 0.5);  // 0..4
  const double x = (quarters - quadrant) * 1.5707963267948966, x2 = x * x;
  const bool sine = quadrant % 2 == 1;
  double term = 0;  // (1 - x2/(ab) (1 - x2/(cd) (...)))
  for (int k = sine ? 19 : 18; k >= 2; k -= 2) term = x2 / (k * (k - 1)) * (1 - term);
  const double value = sine ? x * (1 - term) : 1 - term;
  return quadrant == 1 || quadrant == 2 ? -value : value;
}

/// Standard normal number `index` of the stream `key`, by Box-Muller.
CYTOGRAD_HD inline double normal_at(uint64_t key, uint64_t index) {
  const Words b = philox_at(key, index);
  const double u = 1.0 - uniform(b.w[0], b.w[1]), v = uniform(b.w[2], b.w[3]);
  return std::sqrt(-2.0 * log_unit(u)) * cos_turn(v);
}

}  // namespace cytograd::random
