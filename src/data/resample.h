#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/data/transform.h"
#include "cytograd/io/image.h"

/// @file
/// Private: the resampling behind data/transform.h.

namespace cytograd::resample {

/// Three planes of float values in 0..255, one after the other: [3, height, width].
struct Planes {
  int64_t height = 0, width = 0;
  std::vector<float> values;
  Planes() = default;
  Planes(int64_t h, int64_t w) : height(h), width(w), values(static_cast<size_t>(3 * h * w)) {}
  float* plane(int c) { return values.data() + c * height * width; }
  const float* plane(int c) const { return values.data() + c * height * width; }
};

/// Region of an image resized to height x width: bilinear with antialiasing. Grey images fill
/// three planes. Scratch memory is kept per thread.
void resize_region(const Image& image, const Region& region, int64_t height, int64_t width,
                   Planes& out);

/// Pixels of the square `in` at the points of a rotation about the centre, bilinear; the result is
/// the square of the size of `out` from the middle of `in`.
void rotate_into(const Planes& in, double cosine, double sine, Planes& out);

}  // namespace cytograd::resample
