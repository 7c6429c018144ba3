#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// Binary masks as lengths of runs, as COCO files hold them: pixels column by column, lengths of
/// runs of 0 and 1 in turn, the first of 0 (it may have length 0).

namespace cytograd::detection {

struct Rle {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> counts;  ///< their sum is height * width
  bool empty() const { return height == 0 && width == 0; }
  bool operator==(const Rle&) const = default;
};

/// @param mask  height * width values, row by row; not 0 belongs to the object
/// @throws ValueError for a wrong number of values, or 2^32 and more pixels
Rle encode_mask(std::span<const uint8_t> mask, int64_t height, int64_t width);
/// height * width values 0 or 1, row by row.
std::vector<uint8_t> decode_mask(const Rle& mask);

/// Pixels of the object.
int64_t area(const Rle& mask);
/// Pixels of both objects. @throws ValueError if their images differ in size
int64_t intersection(const Rle& a, const Rle& b);

/// What belongs to any of the masks. @throws ValueError for no masks, or of different sizes
Rle union_of(std::span<const Rle> masks);

/// The pixels inside a closed polygon, as COCO's own tools fill it: corners are rounded to fifths
/// of a pixel, sides are drawn on that grid, and a pixel is inside if its centre is, by even and
/// odd crossings of its column. What lies outside the image is cut.
/// @param corners  x, y of each, in pixel edges; at least three corners make an area
/// @throws ValueError for an odd number of values or values beyond 2^26 or not finite
Rle rle_from_polygon(std::span<const double> corners, int64_t height, int64_t width);

/// The text form of the counts: six bits per character, differences to the count two before.
std::string rle_to_text(const Rle& mask);
/// @throws ValueError if the text is damaged or its counts are not of height * width pixels
Rle rle_from_text(std::string_view text, int64_t height, int64_t width);

}  // namespace cytograd::detection
