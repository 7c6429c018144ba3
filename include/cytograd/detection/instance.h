#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cytograd/detection/boxes.h"

/// @file
/// From detections of a crop to its one cell. On the host.

namespace cytograd::detection {

/// A binary mask, row by row: 0 or 1.
struct BinaryMask {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> values;
};

/// The detection that a crop about one cell shows: of those with a score of at least `least` whose
/// box holds the crop's centre the best; if none does, the one whose box has its centre nearest,
/// the better score first where two are as near. Nothing if no score is high enough.
/// @throws ValueError if there is not one score per box
std::optional<size_t> choose_instance(const std::vector<Box>& boxes,
                                      const std::vector<float>& scores, float least, int64_t height,
                                      int64_t width);

/// The largest of the parts that hang together by sides or corners, the first in row order of
/// equally large ones. @return how many parts there were
int64_t keep_largest_part(BinaryMask& mask);

/// Adds background that the border cannot reach over sides. @return pixels added
int64_t fill_holes(BinaryMask& mask);

}  // namespace cytograd::detection
