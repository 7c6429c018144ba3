#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cytograd {

/// Points of the plane as a picture of their own (SVG), one colour per class, with a legend.
/// @param xy [n, 2], row-major; rows that are not finite are left out
/// @param labels per row -1 (grey) or a place in `classes`; empty: one colour
std::string scatter_svg(const std::string& title, const std::vector<float>& xy,
                        const std::vector<int32_t>& labels,
                        const std::vector<std::string>& classes);

}  // namespace cytograd
