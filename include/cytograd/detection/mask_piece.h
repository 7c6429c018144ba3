#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cytograd/detection/boxes.h"
#include "cytograd/detection/masks.h"
#include "cytograd/detection/rle.h"

/// @file
/// Binary masks of single objects, kept as the small rectangle that they fill: an object of a field
/// with billions of pixels costs no more than one of a small field. On the host.

namespace cytograd::detection {

/// A binary mask on the rectangle of an image with the corner (x, y); elsewhere it is 0. The
/// rectangle lies inside the image; without pixels it is empty.
struct MaskPiece {
  int64_t x = 0, y = 0, width = 0, height = 0;
  std::vector<uint8_t> values;  ///< height * width, row by row, 0 or 1

  bool empty() const { return width == 0 || height == 0; }
  /// Value at a pixel of the image.
  bool at(int64_t row, int64_t column) const {
    const bool inside = row >= y && row < y + height && column >= x && column < x + width;
    return inside && values[static_cast<size_t>((row - y) * width + column - x)] != 0;
  }
  bool operator==(const MaskPiece&) const = default;
};

/// The rows and columns from the first to the last that hold a pixel: the same mask on its smallest
/// rectangle.
MaskPiece tight(const MaskPiece& mask);
/// Pixels of a soft mask with at least this value. Tight.
MaskPiece piece_of(const PastedMask& soft, float threshold = 0.5f);
/// Tight. The work grows with the runs and the object, not with the image.
MaskPiece piece_of(const Rle& mask);
/// @throws ValueError if the rectangle leaves the image of height x width, or it has 2^32 pixels
Rle rle_of(const MaskPiece& mask, int64_t height, int64_t width);

/// Pixels of the object.
int64_t area(const MaskPiece& mask);
/// Pixels of both, inside the rectangle `within` (whole pixels) only.
int64_t intersection(const MaskPiece& a, const MaskPiece& b, const Box& within);
/// Pixels inside the rectangle.
int64_t area_within(const MaskPiece& mask, const Box& within);
/// What belongs to either. Tight.
MaskPiece joined(const MaskPiece& a, const MaskPiece& b);
/// The part inside a rectangle of the image, in that rectangle's own pixels. Tight.
MaskPiece cut(const MaskPiece& mask, int64_t y, int64_t x, int64_t height, int64_t width);

/// The pixel edges about a mask's pixels; all 0 for an empty one.
Box bounds(const MaskPiece& mask);

/// The parts of a binary image (not 0 belongs to it) that hang together by sides or corners, in the
/// order of their first pixels. Tight. @throws ValueError for a wrong number of values
std::vector<MaskPiece> connected_parts(std::span<const uint8_t> mask, int64_t height,
                                       int64_t width);
/// The same for a piece, in pixels of its image.
std::vector<MaskPiece> connected_parts(const MaskPiece& mask);

}  // namespace cytograd::detection
