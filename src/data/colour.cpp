#include "data/colour.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/pixel.h"

namespace cytograd::colour {

namespace {

using pixel::clamp_byte;

int64_t pixels(const Planes& p) { return p.height * p.width; }

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
    for (int64_t i = y * p.width; i < (y + 1) * p.width; ++i) line += pixel::grey(r[i], g[i], b[i]);
    sum += static_cast<double>(line);
  }
  const float shift = (1 - factor) * static_cast<float>(sum / static_cast<double>(n));
  for (float& v : p.values) v = clamp_byte(v * factor + shift);
}

void saturation(Planes& p, float factor) {
  float m[9];
  pixel::saturation_matrix(factor, m);
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  for (int64_t i = 0; i < n; ++i) pixel::matrix(m, r[i], g[i], b[i]);
}

void gray(Planes& p) { saturation(p, 0); }

void hue(Planes& p, float turns) {
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  const float shift = pixel::hue_shift(turns);
  for (int64_t i = 0; i < n; ++i) pixel::hue(shift, r[i], g[i], b[i]);
}

void stain_matrix(const std::array<float, 3>& scale, const std::array<float, 3>& bias, float* t,
                  float* offset) {
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
  for (size_t out = 0; out < 3; ++out) {
    for (size_t in = 0; in < 3; ++in) {
      t[out * 3 + in] = 0;
      for (size_t k = 0; k < 3; ++k)
        t[out * 3 + in] += static_cast<float>(inverse[in * 3 + k] * stains[k * 3 + out]) * scale[k];
    }
    offset[out] = 0;
    for (size_t k = 0; k < 3; ++k) offset[out] += static_cast<float>(stains[k * 3 + out]) * bias[k];
  }
}

void stain(Planes& p, const float* matrix, const float* offset) {
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  const float white = pixel::fast_log(256.0f);
  for (int64_t i = 0; i < n; ++i) pixel::stain(matrix, offset, white, r[i], g[i], b[i]);
}

void cones(Planes& p, const float* matrix, const float* offset) {
  float *r = p.plane(0), *g = p.plane(1), *b = p.plane(2);
  const int64_t n = pixels(p);
  for (int64_t i = 0; i < n; ++i) pixel::cones(matrix, offset, r[i], g[i], b[i]);
}

int blur_weights(float sigma, float* weight) {
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma)));
  float sum = 0;
  for (int i = 0; i <= radius; ++i) {
    const double d = static_cast<double>(i) / static_cast<double>(sigma);
    weight[i] = static_cast<float>(std::exp(-0.5 * d * d));
    sum += weight[i] * (i == 0 ? 1.0f : 2.0f);
  }
  for (int i = 0; i <= radius; ++i) weight[i] /= sum;
  return radius;
}

void blur(Planes& p, const float* weight, int64_t radius) {
  const int64_t h = p.height, w = p.width;
  std::vector<float> line(static_cast<size_t>(w + 2 * radius)), copy;
  for (int c = 0; c < 3; ++c) {
    float* plane = p.plane(c);
    for (int64_t y = 0; y < h; ++y) {
      float* row = plane + y * w;
      for (int64_t x = -radius; x < w + radius; ++x)
        line[static_cast<size_t>(x + radius)] = row[pixel::reflect(x, w)];
      const float* centre = line.data() + radius;
      for (int64_t x = 0; x < w; ++x) row[x] = weight[0] * centre[x];
      for (int64_t k = 1; k <= radius; ++k)
        for (int64_t x = 0; x < w; ++x) row[x] += weight[k] * (centre[x - k] + centre[x + k]);
    }
    copy.assign(plane, plane + h * w);
    for (int64_t y = 0; y < h; ++y) {
      float* row = plane + y * w;
      for (int64_t x = 0; x < w; ++x) row[x] *= weight[0];
      for (int64_t k = 1; k <= radius; ++k) {
        const float* up = copy.data() + pixel::reflect(y - k, h) * w;
        const float* down = copy.data() + pixel::reflect(y + k, h) * w;
        for (int64_t x = 0; x < w; ++x) row[x] += weight[k] * (up[x] + down[x]);
      }
    }
  }
}

}  // namespace cytograd::colour
