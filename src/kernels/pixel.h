#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "cytograd/core/dtype.h"

/// @file
/// What one pixel of an augmented image is computed from, for the CPU and CUDA. Values are 0..255.
/// Without branches, so that loops over these functions vectorise.

namespace cytograd::pixel {

inline constexpr float red_weight = 0.299f, green_weight = 0.587f, blue_weight = 0.114f;

CYTOGRAD_HD inline float lower(float a, float b) { return a < b ? a : b; }
CYTOGRAD_HD inline float upper(float a, float b) { return a > b ? a : b; }
CYTOGRAD_HD inline float clamp_byte(float v) { return lower(upper(v, 0.0f), 255.0f); }

CYTOGRAD_HD inline float grey(float r, float g, float b) {
  return red_weight * r + green_weight * g + blue_weight * b;
}

/// ln(x) for x > 0, relative error below 1e-6 of the result's scale: exponent, and atanh series of
/// the mantissa in [sqrt(1/2), sqrt(2)). The same bits on every CPU.
CYTOGRAD_HD inline float fast_log(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const int32_t e = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  const float m = std::bit_cast<float>(bits - (static_cast<uint32_t>(e) << 23));
  const float t = (m - 1) / (m + 1), t2 = t * t;
  const float series = 2 + t2 * (0.66666667f + t2 * (0.4f + t2 * 0.28571430f));
  return static_cast<float>(e) * 0.69314718f + t * series;
}

/// e^x for -40 < x < 40, relative error below 1e-6: 2^k times a polynomial on half an octave.
CYTOGRAD_HD inline float fast_exp(float x) {
  const float y = x * 1.44269504f;
  // Truncation rounds to nearest because the sum is positive.
  const float k = static_cast<float>(static_cast<int32_t>(y + 64.5f) - 64);
  const float f = (y - k) * 0.69314718f;
  const float poly =
      1 + f * (1 + f * (0.5f + f * (0.16666667f + f * (0.041666668f + f * 0.0083333338f))));
  return poly * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
}

/// The 3x3 matrix m (rows: output) of the pixel, then clamped.
CYTOGRAD_HD inline void matrix(const float* m, float& r, float& g, float& b) {
  const float x = r, y = g, z = b;
  r = clamp_byte(m[0] * x + m[1] * y + m[2] * z);
  g = clamp_byte(m[3] * x + m[4] * y + m[5] * z);
  b = clamp_byte(m[6] * x + m[7] * y + m[8] * z);
}

/// The matrix that blends with the pixel's grey value: 0 is grey, 1 unchanged.
CYTOGRAD_HD inline void saturation_matrix(float factor, float* m) {
  const float a = 1 - factor;
  const float weights[3] = {red_weight, green_weight, blue_weight};
  for (int i = 0; i < 9; ++i) m[i] = a * weights[i % 3];
  m[0] = factor + a * red_weight;
  m[4] = factor + a * green_weight;
  m[8] = factor + a * blue_weight;
}

/// Turns of a circle, 1 the whole one, in sixths from 0 to 6.
CYTOGRAD_HD inline float hue_shift(float turns) { return (turns - std::floor(turns)) * 6; }
/// Turns the hue of HSV by `shift` sixths of a circle, 0 <= shift < 6.
CYTOGRAD_HD inline void hue(float shift, float& r, float& g, float& b) {
  const float x = r, y = g, z = b;
  const float high = upper(x, upper(y, z)), low = lower(x, lower(y, z));
  const float chroma = high - low, scale = 1 / upper(chroma, 1e-6f);
  // Sector of the highest channel, by sums instead of branches.
  const float red = static_cast<float>(high == x),
              green = (1 - red) * static_cast<float>(high == y), blue = 1 - red - green;
  const float sector = red * (y - z) + green * (z - x) + blue * (x - y);
  // -1..5, and 6 so that the sum is positive.
  const float h = sector * scale + 2 * green + 4 * blue + shift + 6;
  // Channel k of hue h is high - chroma * clamp(min(t, 4 - t), 0, 1), t = (k + h) mod 6.
  const auto channel = [&](float k) {
    float t = k + h;
    t -= 6 * static_cast<float>(static_cast<int32_t>(t * (1.0f / 6)));
    return high - chroma * lower(upper(lower(t, 4 - t), 0.0f), 1.0f);
  };
  r = channel(5);
  g = channel(3);
  b = channel(1);
}

/// Optical density d (against `white` = ln 256) becomes t d + offset; t has a row per output.
CYTOGRAD_HD inline void stain(const float* t, const float* offset, float white, float& r, float& g,
                              float& b) {
  const float x = white - fast_log(r + 1), y = white - fast_log(g + 1), z = white - fast_log(b + 1);
  const auto back = [&](int c) {
    const float d = t[c * 3] * x + t[c * 3 + 1] * y + t[c * 3 + 2] * z + offset[c];
    return clamp_byte(256 * fast_exp(-lower(upper(d, -1.0f), 20.0f)) - 1);
  };
  const float p = back(0), q = back(1);
  b = back(2);
  r = p;
  g = q;
}

/// Natural logarithms of the cone responses to a colour (Reinhard et al. 2001), of 1 + value.
CYTOGRAD_HD inline void to_cones(float& r, float& g, float& b) {
  const float x = r + 1, y = g + 1, z = b + 1;
  r = fast_log(0.3811f * x + 0.5783f * y + 0.0402f * z);
  g = fast_log(0.1967f * x + 0.7244f * y + 0.0782f * z);
  b = fast_log(0.0241f * x + 0.1288f * y + 0.8444f * z);
}

/// Cone responses c become t c + offset; t has a row per output.
CYTOGRAD_HD inline void cones(const float* t, const float* offset, float& r, float& g, float& b) {
  float x = r, y = g, z = b;
  to_cones(x, y, z);
  const auto back = [&](int c) {
    const float d = t[c * 3] * x + t[c * 3 + 1] * y + t[c * 3 + 2] * z + offset[c];
    return fast_exp(lower(upper(d, -2.0f), 8.0f));
  };
  const float p = back(0), q = back(1), s = back(2);
  r = clamp_byte(4.46866986f * p - 3.58867590f * q + 0.11960437f * s - 1);
  g = clamp_byte(-1.21971663f * p + 2.38308791f * q - 0.16263011f * s - 1);
  b = clamp_byte(0.05850848f * p - 0.26107844f * q + 1.20566591f * s - 1);
}

/// The pixels of an axis of `in` that pixel i of `out` is made of: a triangle of half-width
/// max(in / out, 1) around (i + 0.5) in / out, cut at the ends.
struct Window {
  double centre, support;
  int64_t begin, end;

  CYTOGRAD_HD Window(int64_t in, int64_t out, int64_t i) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    support = scale > 1 ? scale : 1;
    centre = (static_cast<double>(i) + 0.5) * scale;
    begin = static_cast<int64_t>(centre - support + 0.5);
    if (begin < 0) begin = 0;
    end = static_cast<int64_t>(centre + support + 0.5);
    if (end > in) end = in;
  }
  /// Before division by the sum of all.
  CYTOGRAD_HD double weight(int64_t j) const {
    const double x = static_cast<double>(j) + 0.5 - centre;
    const double w = 1 - (x < 0 ? -x : x) / support;
    return w > 0 ? w : 0;
  }
};
/// An upper bound of Window::end - Window::begin.
CYTOGRAD_HD inline int64_t most_taps(int64_t in, int64_t out) {
  const int64_t half = in > out ? (in + out - 1) / out : 1;
  return in < 2 * half + 1 ? in : 2 * half + 1;
}

/// Index of the pixel that continues an axis of n pixels by reflection: -1 -> 0, n -> n - 1 (the
/// border pixel is repeated once), for any i.
CYTOGRAD_HD inline int64_t reflect(int64_t i, int64_t n) {
  const int64_t period = 2 * n;
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - 1 - i;
}

/// The point of a square of side `in` that output pixel (y, x) of side `out` shows after a turn
/// about the middle: its upper left neighbour, and how far it lies from it.
struct Turned {
  int64_t y, x;
  float fy, fx;
  CYTOGRAD_HD Turned(int64_t in, int64_t out, double cosine, double sine, int64_t oy, int64_t ox) {
    const double middle = static_cast<double>(in - 1) / 2, half = static_cast<double>(out - 1) / 2;
    const double dy = static_cast<double>(oy) - half, dx = static_cast<double>(ox) - half;
    const double sy = inside(middle + cosine * dy - sine * dx, 2 * middle);
    const double sx = inside(middle + sine * dy + cosine * dx, 2 * middle);
    y = static_cast<int64_t>(sy);
    x = static_cast<int64_t>(sx);
    fy = static_cast<float>(sy - static_cast<double>(y));
    fx = static_cast<float>(sx - static_cast<double>(x));
  }
  /// @param p  the neighbour  @param right, down  steps to those beside and below it
  CYTOGRAD_HD float of(const float* p, int64_t right, int64_t down) const {
    const float top = p[0] + fx * (p[right] - p[0]);
    const float bottom = p[down] + fx * (p[down + right] - p[down]);
    return top + fy * (bottom - top);
  }

 private:
  CYTOGRAD_HD static double inside(double v, double most) {
    return v < 0 ? 0 : v > most ? most : v;
  }
};

}  // namespace cytograd::pixel
