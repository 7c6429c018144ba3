#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/models/mask_rcnn/mask_rcnn.h"

/// @file
/// A detector small enough for many tests, and images and annotations for it.

namespace cytograd::test {

inline models::MaskRcnnOptions small_detector() {
  models::MaskRcnnOptions options;
  options.backbone = models::resnet18;
  options.channels = 16;
  options.roi.hidden = 32;
  options.input.min_size = {64};
  options.input.max_size = 96;
  options.rpn.anchors.sizes = {{8}, {16}, {32}, {64}, {128}};
  options.seed = 3;
  return options;
}

/// Uniform in 0..1, [height, width, channels].
inline Tensor noise(int64_t height, int64_t width, int64_t channels = 3, uint64_t number = 0) {
  Rng rng(9, "image", number);
  std::vector<float> values(static_cast<size_t>(height * width * channels));
  for (float& v : values) v = static_cast<float>(rng.uniform());
  return Tensor::from(values, {height, width, channels});
}

/// Objects of class 1 whose masks are their boxes.
inline models::Target rectangles(int64_t height, int64_t width,
                                 const std::vector<detection::Box>& boxes) {
  models::Target out{boxes, std::vector<int64_t>(boxes.size(), 1), {}, {}, "cells.png"};
  out.masks = Tensor::zeros({static_cast<int64_t>(boxes.size()), height, width}, Dtype::uint8);
  uint8_t* to = out.masks.data<uint8_t>();
  for (const detection::Box& b : boxes)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const auto fy = static_cast<float>(y), fx = static_cast<float>(x);
        *to++ = fy >= b.y1 && fy < b.y2 && fx >= b.x1 && fx < b.x2 ? 1 : 0;
      }
  return out;
}

/// Two objects in 64 x 64 pixels.
inline models::Target two_cells() {
  return rectangles(64, 64, {{8, 10, 30, 34}, {35, 20, 60, 52}});
}

inline void check_same(const models::Detections& a, const models::Detections& b) {
  CHECK(a.boxes == b.boxes);
  CHECK(a.labels == b.labels);
  CHECK(a.scores == b.scores);
  CHECK(a.masks.to_vector<float>() == b.masks.to_vector<float>());
}

}  // namespace cytograd::test
