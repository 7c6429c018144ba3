#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/data/transform.h"
#include "cytograd/io/image.h"

/// @file
/// Private: the resampling behind data/transform.h.

namespace cytograd::resample {

/// Index of the pixel that continues an axis of n pixels by reflection: -1 -> 0, n -> n-1 (the
/// border pixel is repeated once), for any i.
int64_t reflect(int64_t i, int64_t n);

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

/// Pixels of `in` at the points of a rotation by `radians` about the centre, bilinear; the result
/// is size x size from the middle of `in`.
void rotate_into(const Planes& in, double radians, Planes& out);

}  // namespace cytograd::resample
