#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/detection/boxes.h"

/// @file
/// Masks of objects: from the small grid that a network predicts to the image, and resizing of
/// annotated masks. On the host.

namespace cytograd::detection {

/// A soft mask on a part of an image; elsewhere it is 0.
struct PastedMask {
  int64_t x = 0, y = 0, width = 0, height = 0;  ///< the part; may be empty
  std::vector<float> values;                    ///< height * width, in 0..1
  /// Value at a pixel of the image.
  float at(int64_t row, int64_t column) const {
    const bool inside = row >= y && row < y + height && column >= x && column < x + width;
    return inside ? values[static_cast<size_t>((row - y) * width + column - x)] : 0;
  }
};

/// Lays a square of mask probabilities over its box (He et al. 2017, section 3): a rim of zeros one
/// cell wide is added, the box grows about its centre by as much and is cut to whole pixels
/// (towards 0), and the square is resized bilinearly, half-pixel centres, to x2 - x1 + 1 by y2 - y1
/// + 1 pixels, at least one. The part inside the image is kept. A pixel belongs to the object if
/// its value is >= 0.5.
/// @param probabilities  side * side values, row by row   @param box  in pixels of the image
/// @throws ValueError for a side < 1, a wrong number of values or an image of negative size
PastedMask paste_mask(std::span<const float> probabilities, int64_t side, const Box& box,
                      int64_t height, int64_t width);

/// Nearest neighbour of binary masks [G, H, W], uint8 on the host: row i is read at floor(i H /
/// height), columns alike. @throws ShapeError, DtypeError, ValueError for an empty result
Tensor resize_masks(const Tensor& masks, int64_t height, int64_t width);

}  // namespace cytograd::detection
