#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/detection/tiles.h"

/// @file
/// What a table says of cells that were found. On the host.

namespace cytograd::detection {

/// One cell. Areas are in pixels.
struct CellMeasures {
  size_t object = 0;         ///< its place among the objects
  int64_t area = 0;          ///< of its mask; of its box where it has none
  double diameter = 0;       ///< of the circle with that area
  bool at_border = false;    ///< its box comes within a pixel of the border of the field
  int64_t nucleus_area = 0;  ///< of nuclei inside the mask
  int64_t nucleus_parts = 0;
  double nucleus_share = 0;  ///< of the cell's area
};

/// Measures every object that is not a nucleus, in their order. A nucleus belongs to the cell that
/// holds most of its pixels, at least half of them (the first of equal ones); nuclei of no cell
/// count nowhere.
/// @param nucleus_label  of objects that are nuclei; 0: there are none
std::vector<CellMeasures> measure_cells(const std::vector<FoundObject>& objects,
                                        int64_t nucleus_label, int64_t height, int64_t width);

}  // namespace cytograd::detection
