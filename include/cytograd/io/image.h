#pragma once

#include <cstdint>
#include <vector>

namespace cytograd {

/// 8-bit pixels, row-major, channels interleaved (HWC): 1 grey or 3 RGB.
struct Image {
  int64_t height = 0, width = 0, channels = 3;
  std::vector<uint8_t> pixels;  ///< height * width * channels

  Image() = default;
  Image(int64_t h, int64_t w, int64_t c, uint8_t value = 0)
      : height(h), width(w), channels(c), pixels(static_cast<size_t>(h * w * c), value) {}
  uint8_t* at(int64_t y, int64_t x) { return pixels.data() + (y * width + x) * channels; }
  const uint8_t* at(int64_t y, int64_t x) const {
    return pixels.data() + (y * width + x) * channels;
  }
  bool operator==(const Image&) const = default;
};

}  // namespace cytograd
