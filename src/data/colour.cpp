#include "data/colour.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace cytograd::colour {

namespace {

constexpr float red_weight = 0.299f, green_weight = 0.587f, blue_weight = 0.114f;

int64_t pixels(const Planes& p) { return p.height * p.width; }

// By value and without branches, so that loops over them vectorise.
inline float lower(float a, float b) { return a < b ? a : b; }
inline float upper(float a, float b) { return a > b ? a : b; }
inline float clamp_byte(float v) { return lower(upper(v, 0.0f), 255.0f); }

void matrix(Planes& p, const std::array<float, 9>& m, const std::array<float, 3>& offset) {
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  for (int64_t i = 0; i < n; ++i) {
    const float x = r[i], y = g[i], z = b[i];
    r[i] = clamp_byte(m[0] * x + m[1] * y + m[2] * z + offset[0]);
    g[i] = clamp_byte(m[3] * x + m[4] * y + m[5] * z + offset[1]);
    b[i] = clamp_byte(m[6] * x + m[7] * y + m[8] * z + offset[2]);
  }
}

// ln(x) for x > 0, relative error below 1e-6 of the result's scale: exponent, and atanh series of
// the mantissa in [sqrt(1/2), sqrt(2)). Branch-free, so that loops over it vectorise; the same bits
// on every machine.
inline float fast_log(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const int32_t e = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  const float m = std::bit_cast<float>(bits - (static_cast<uint32_t>(e) << 23));
  const float t = (m - 1) / (m + 1), t2 = t * t;
  const float series = 2 + t2 * (0.66666667f + t2 * (0.4f + t2 * 0.28571430f));
  return static_cast<float>(e) * 0.69314718f + t * series;
}

// e^x for -40 < x < 40, relative error below 1e-6: 2^k times a polynomial on half an octave.
inline float fast_exp(float x) {
  const float y = x * 1.44269504f;
  // Truncation rounds to nearest because the sum is positive.
  const float k = static_cast<float>(static_cast<int32_t>(y + 64.5f) - 64);
  const float f = (y - k) * 0.69314718f;
  const float poly =
      1 + f * (1 + f * (0.5f + f * (0.16666667f + f * (0.041666668f + f * 0.0083333338f))));
  return poly * std::bit_cast<float>((static_cast<int32_t>(k) + 127) << 23);
}

}  // namespace

void brightness(Planes& p, float factor) {
  for (float& v : p.values) v = clamp_byte(v * factor);
}

void contrast(Planes& p, float factor) {
  const float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  double sum = 0;
  for (int64_t y = 0; y < p.height; ++y) {
    float line = 0;
    for (int64_t i = y * p.width; i < (y + 1) * p.width; ++i)
      line += red_weight * r[i] + green_weight * g[i] + blue_weight * b[i];
    sum += static_cast<double>(line);
  }
  const float shift = (1 - factor) * static_cast<float>(sum / static_cast<double>(n));
  for (float& v : p.values) v = clamp_byte(v * factor + shift);
}

void saturation(Planes& p, float factor) {
  const float a = 1 - factor;
  matrix(p,
         {factor + a * red_weight, a * green_weight, a * blue_weight, a * red_weight,
          factor + a * green_weight, a * blue_weight, a * red_weight, a * green_weight,
          factor + a * blue_weight},
         {0, 0, 0});
}

void gray(Planes& p) { saturation(p, 0); }

void hue(Planes& p, float turns) {
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  const float shift = (turns - std::floor(turns)) * 6;
  for (int64_t i = 0; i < n; ++i) {
    const float x = r[i], y = g[i], z = b[i];
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
    r[i] = channel(5);
    g[i] = channel(3);
    b[i] = channel(1);
  }
}

void stain(Planes& p, const std::array<float, 3>& scale, const std::array<float, 3>& bias) {
  // Rows: optical density in red, green and blue of each stain.
  static constexpr std::array<double, 9> stains = {0.650, 0.704, 0.286, 0.072, 0.990,
                                                   0.105, 0.268, 0.570, 0.776};
  static const std::array<double, 9> inverse = [] {
    const auto& m = stains;
    const double det = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
                       m[2] * (m[3] * m[7] - m[4] * m[6]);
    return std::array<double, 9>{
        (m[4] * m[8] - m[5] * m[7]) / det, (m[2] * m[7] - m[1] * m[8]) / det,
        (m[1] * m[5] - m[2] * m[4]) / det, (m[5] * m[6] - m[3] * m[8]) / det,
        (m[0] * m[8] - m[2] * m[6]) / det, (m[2] * m[3] - m[0] * m[5]) / det,
        (m[3] * m[7] - m[4] * m[6]) / det, (m[1] * m[6] - m[0] * m[7]) / det,
        (m[0] * m[4] - m[1] * m[3]) / det};
  }();
  // Density d (row) becomes d * inverse * diag(scale) * stains + bias * stains: one matrix.
  std::array<float, 9> t{};
  std::array<float, 3> offset{};
  for (size_t out = 0; out < 3; ++out) {
    for (size_t in = 0; in < 3; ++in)
      for (size_t k = 0; k < 3; ++k)
        t[out * 3 + in] += static_cast<float>(inverse[in * 3 + k] * stains[k * 3 + out]) * scale[k];
    for (size_t k = 0; k < 3; ++k) offset[out] += static_cast<float>(stains[k * 3 + out]) * bias[k];
  }
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  const float white = fast_log(256.0f);
  for (int64_t i = 0; i < n; ++i) {
    const float x = white - fast_log(r[i] + 1), y = white - fast_log(g[i] + 1),
                z = white - fast_log(b[i] + 1);
    const auto back = [&](size_t c) {
      const float d = t[c * 3] * x + t[c * 3 + 1] * y + t[c * 3 + 2] * z + offset[c];
      return clamp_byte(256 * fast_exp(-lower(upper(d, -1.0f), 20.0f)) - 1);
    };
    r[i] = back(0);
    g[i] = back(1);
    b[i] = back(2);
  }
}

void blur(Planes& p, float sigma) {
  const int64_t radius = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(3 * sigma)));
  std::vector<float> weight(static_cast<size_t>(radius + 1));
  float sum = 0;
  for (int64_t i = 0; i <= radius; ++i) {
    const double d = static_cast<double>(i) / static_cast<double>(sigma);
    weight[static_cast<size_t>(i)] = static_cast<float>(std::exp(-0.5 * d * d));
    sum += weight[static_cast<size_t>(i)] * (i == 0 ? 1.0f : 2.0f);
  }
  for (float& w : weight) w /= sum;
  const int64_t h = p.height, w = p.width;
  std::vector<float> line(static_cast<size_t>(w + 2 * radius)), copy;
  for (int c = 0; c < 3; ++c) {
    float* plane = p.plane(c);
    for (int64_t y = 0; y < h; ++y) {
      float* row = plane + y * w;
      for (int64_t x = -radius; x < w + radius; ++x)
        line[static_cast<size_t>(x + radius)] = row[resample::reflect(x, w)];
      const float* centre = line.data() + radius;
      for (int64_t x = 0; x < w; ++x) row[x] = weight[0] * centre[x];
      for (int64_t k = 1; k <= radius; ++k)
        for (int64_t x = 0; x < w; ++x)
          row[x] += weight[static_cast<size_t>(k)] * (centre[x - k] + centre[x + k]);
    }
    copy.assign(plane, plane + h * w);
    for (int64_t y = 0; y < h; ++y) {
      float* row = plane + y * w;
      for (int64_t x = 0; x < w; ++x) row[x] *= weight[0];
      for (int64_t k = 1; k <= radius; ++k) {
        const float* up = copy.data() + resample::reflect(y - k, h) * w;
        const float* down = copy.data() + resample::reflect(y + k, h) * w;
        for (int64_t x = 0; x < w; ++x)
          row[x] += weight[static_cast<size_t>(k)] * (up[x] + down[x]);
      }
    }
  }
}

}  // namespace cytograd::colour
