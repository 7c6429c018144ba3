#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cytograd/io/image.h"

/// @file
/// Measures of a cell's looks on a crop and its mask, without training; docs/multimodal.md.

namespace cytograd::multimodal {

/// NaN where the cell, its nucleus or its cytoplasm is empty.
struct Morphology {
  double nucleus_area = 0;  ///< share of the cell
  double lobes = 0;         ///< of the nucleus
  double solidity = 0;      ///< nucleus area over that of its convex hull
  double cell_area = 0;     ///< pixels times microns_per_pixel squared
  double granularity = 0;   ///< share of the cytoplasm's darkness in grains up to 3 pixels radius
  double basophilia = 0;    ///< mean darkness of the cytoplasm, 1 - green

  static constexpr std::array<const char*, 6> names = {"nucleus_area", "lobes",       "solidity",
                                                       "cell_area",    "granularity", "basophilia"};
  std::array<double, 6> values() const {
    return {nucleus_area, lobes, solidity, cell_area, granularity, basophilia};
  }
};

/// @param rgb  [side, side, 3] in 0..1, channels last   @param mask  [side, side] in 0..1; the cell
/// is where it is at least 0.5   @throws ValueError for sizes that disagree
Morphology measure_morphology(const std::vector<float>& rgb, const std::vector<float>& mask,
                              int64_t side, double microns_per_pixel = 1);

/// The nucleus that was measured, [side, side] of 0 and 1.
std::vector<uint8_t> nucleus_of(const std::vector<float>& rgb, const std::vector<float>& mask,
                                int64_t side);

}  // namespace cytograd::multimodal
