#pragma once

#include <cmath>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/pair.h"
#include "cytograd/detection/boxes.h"

/// @file
/// Anchors: boxes of fixed sizes and shapes over a grid, from which proposals are predicted.

namespace cytograd::detection {

struct AnchorOptions {
  /// Square roots of areas, in pixels of the network's input, for each pyramid level; equally many
  /// on all.
  std::vector<std::vector<float>> sizes = {{32}, {64}, {128}, {256}, {512}};
  std::vector<float> ratios = {0.5f, 1, 2};  ///< height / width, on every level
  /// Anchors per place.
  int64_t per_cell() const {
    return static_cast<int64_t>((sizes.empty() ? 0 : sizes[0].size()) * ratios.size());
  }
};

/// Anchors about (0, 0): all sizes of the first ratio, then of the next. Corners are rounded to
/// whole pixels, halves to even. @throws ValueError for sizes or ratios that are not positive
inline std::vector<Box> cell_anchors(const std::vector<float>& sizes,
                                     const std::vector<float>& ratios) {
  std::vector<Box> out;
  for (const float ratio : ratios)
    for (const float size : sizes) {
      check<ValueError>(ratio > 0 && size > 0, "anchors", "sizes and ratios must be > 0, got ",
                        size, " and ", ratio);
      const float h_ratio = std::sqrt(ratio), w_ratio = 1 / h_ratio;
      const float x = std::nearbyint(w_ratio * size / 2), y = std::nearbyint(h_ratio * size / 2);
      out.push_back({-x, -y, x, y});
    }
  return out;
}

/// The anchors of a level, row by row, those of one place together. They are centred on
/// (column stride, row stride), where stride = padded / grid in whole numbers, and are not clipped.
/// @param padded  height and width of the network's input   @param grid  those of the level
inline std::vector<Box> grid_anchors(const std::vector<Box>& cells, Pair padded, Pair grid) {
  check<ValueError>(grid.h >= 1 && grid.w >= 1 && padded.h >= grid.h && padded.w >= grid.w,
                    "anchors", "expects a grid no finer than the pixels, got ", grid, " for ",
                    padded);
  const int64_t stride_y = padded.h / grid.h, stride_x = padded.w / grid.w;
  std::vector<Box> out;
  out.reserve(static_cast<size_t>(grid.h * grid.w) * cells.size());
  for (int64_t i = 0; i < grid.h; ++i)
    for (int64_t j = 0; j < grid.w; ++j) {
      const auto y = static_cast<float>(i * stride_y), x = static_cast<float>(j * stride_x);
      for (const Box& c : cells) out.push_back({c.x1 + x, c.y1 + y, c.x2 + x, c.y2 + y});
    }
  return out;
}

}  // namespace cytograd::detection
