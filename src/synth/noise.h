#pragma once

#include <array>
#include <cmath>

#include "cytograd/core/random.h"

namespace cytograd::synth {

/// Smooth random function of the plane: random values at lattice points, in between a smoothstep.
class Noise {
 public:
  explicit Noise(Rng& rng) {
    for (auto& value : values_)
      value = static_cast<float>(static_cast<int32_t>(rng.next_u32())) * 0x1p-31F;
  }

  /// In [-1, 1], features of about one unit. Repeats after 64 units.
  float operator()(float x, float y) const {
    const float fx = std::floor(x), fy = std::floor(y);
    const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
    const float u = ease(x - fx), v = ease(y - fy);
    const float top = at(ix, iy) + u * (at(ix + 1, iy) - at(ix, iy));
    const float bottom = at(ix, iy + 1) + u * (at(ix + 1, iy + 1) - at(ix, iy + 1));
    return top + v * (bottom - top);
  }

  /// Two octaves, rotated against each other so that the lattice does not show. In [-1, 1].
  float two(float x, float y) const {
    const float rx = 0.8F * x - 0.6F * y, ry = 0.6F * x + 0.8F * y;
    return 0.65F * (*this)(rx, ry) + 0.35F * (*this)(1.9F * x + 17.3F, 1.9F * y + 9.1F);
  }

 private:
  static float ease(float t) { return t * t * (3 - 2 * t); }
  float at(int x, int y) const { return values_[static_cast<size_t>((y & 63) * 64 + (x & 63))]; }

  std::array<float, 64 * 64> values_;
};

/// 0 below a, 1 above b, smooth in between; a > b gives the falling edge.
inline float smoothstep(float a, float b, float x) {
  const float t = std::fmin(std::fmax((x - a) / (b - a), 0.0F), 1.0F);
  return t * t * (3 - 2 * t);
}

}  // namespace cytograd::synth
