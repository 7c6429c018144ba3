#include "data/resample.h"

#include <algorithm>
#include <cmath>

#include "kernels/pixel.h"

namespace cytograd::resample {

namespace {

// Output i is sum_k weight[i * taps + k] * source[first[i] + k].
struct Axis {
  int64_t taps = 0;
  std::vector<int64_t> first;
  std::vector<float> weight;
};

void make_axis(int64_t in, int64_t out, Axis& axis) {
  axis.taps = pixel::most_taps(in, out);
  axis.first.assign(static_cast<size_t>(out), 0);
  axis.weight.assign(static_cast<size_t>(out * axis.taps), 0.0f);
  for (int64_t i = 0; i < out; ++i) {
    const pixel::Window window(in, out, i);
    double sum = 0;
    for (int64_t j = window.begin; j < window.end; ++j) sum += window.weight(j);
    // All rows read `taps` pixels: shift the window inside and fill with zero weights.
    const int64_t start = std::min(window.begin, in - axis.taps);
    axis.first[static_cast<size_t>(i)] = start;
    float* w = axis.weight.data() + i * axis.taps - start;
    for (int64_t j = window.begin; j < window.end; ++j)
      w[j] = static_cast<float>(window.weight(j) / sum);
  }
}

struct Scratch {
  Axis rows, columns;
  std::vector<float> line;     // one output row, before the horizontal pass
  std::vector<float> planar;   // the same, split into planes
  std::vector<uint8_t> patch;  // a region that reaches outside, filled by reflection
};

Scratch& scratch() {
  thread_local Scratch s;
  return s;
}

// The first row of the region inside `image`, and the bytes from row to row; copies the region if
// it reaches outside.
const uint8_t* locate(const Image& image, const Region& r, Scratch& s, int64_t& stride) {
  const int64_t c = image.channels;
  if (r.y >= 0 && r.x >= 0 && r.y + r.height <= image.height && r.x + r.width <= image.width) {
    stride = image.width * c;
    return image.at(r.y, r.x);
  }
  stride = r.width * c;
  s.patch.resize(static_cast<size_t>(r.height * stride));
  for (int64_t y = 0; y < r.height; ++y) {
    const int64_t from = pixel::reflect(r.y + y, image.height);
    uint8_t* to = s.patch.data() + y * stride;
    for (int64_t x = 0; x < r.width; ++x, to += c) {
      const uint8_t* p = image.at(from, pixel::reflect(r.x + x, image.width));
      for (int64_t k = 0; k < c; ++k) to[k] = p[k];
    }
  }
  return s.patch.data();
}

void add_row(const uint8_t* in, float weight, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) out[i] += weight * static_cast<float>(in[i]);
}

void shrink_row(const float* in, const Axis& axis, int64_t n, float* out) {
  for (int64_t i = 0; i < n; ++i) {
    const float* w = axis.weight.data() + i * axis.taps;
    const float* p = in + axis.first[static_cast<size_t>(i)];
    float sum = 0;
    for (int64_t k = 0; k < axis.taps; ++k) sum += w[k] * p[k];
    out[i] = sum;
  }
}

}  // namespace

void resize_region(const Image& image, const Region& region, int64_t height, int64_t width,
                   Planes& out) {
  Scratch& s = scratch();
  make_axis(region.height, height, s.rows);
  make_axis(region.width, width, s.columns);
  int64_t stride = 0;
  const uint8_t* source = locate(image, region, s, stride);
  const int64_t channels = image.channels, n = region.width * channels;
  out.height = height;
  out.width = width;
  out.values.resize(static_cast<size_t>(3 * height * width));
  s.line.resize(static_cast<size_t>(n));
  s.planar.resize(static_cast<size_t>(region.width));
  for (int64_t y = 0; y < height; ++y) {
    std::fill(s.line.begin(), s.line.end(), 0.0f);
    const float* w = s.rows.weight.data() + y * s.rows.taps;
    const int64_t first = s.rows.first[static_cast<size_t>(y)];
    for (int64_t k = 0; k < s.rows.taps; ++k)
      if (w[k] != 0) add_row(source + (first + k) * stride, w[k], n, s.line.data());
    for (int64_t c = 0; c < 3; ++c) {
      const int64_t from = channels == 1 ? 0 : c;
      for (int64_t x = 0; x < region.width; ++x)
        s.planar[static_cast<size_t>(x)] = s.line[static_cast<size_t>(x * channels + from)];
      shrink_row(s.planar.data(), s.columns, width, out.plane(static_cast<int>(c)) + y * width);
    }
  }
}

void rotate_into(const Planes& in, double cosine, double sine, Planes& out) {
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x) {
      const pixel::Turned at(in.height, out.height, cosine, sine, y, x);
      const int64_t down = at.y + 1 < in.height ? in.width : 0, right = at.x + 1 < in.width ? 1 : 0;
      for (int c = 0; c < 3; ++c)
        out.plane(c)[y * out.width + x] = at.of(in.plane(c) + at.y * in.width + at.x, right, down);
    }
}

}  // namespace cytograd::resample
