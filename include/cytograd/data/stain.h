#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/io/image.h"

/// @file
/// The colours of a stain: what an image says of them, and how it is made to look like another one.
///
/// Reinhard (Reinhard et al., IEEE CG&A 2001): mean and standard deviation of l, alpha, beta, the
/// decorrelated logarithms of cone responses (Ruderman et al. 1998), are moved to the target's.
/// Macenko (Macenko et al., ISBI 2009): optical density is split into two dyes, found per image as
/// the robust extremes of the angle in the plane of its two largest components; amounts are scaled
/// to the target's and painted in the target's dyes. As blood smears need it, density is counted
/// from the colour of the image's own background (which a yellow or grey light tints), and what is
/// in neither dye (the orange of eosinophil granules) stays.
///
/// docs/domains.md has the formulas. Measuring takes at most 6,400 pixels on a regular grid, so
/// that its cost does not grow with the image; nothing is random.

namespace cytograd {

struct Region;

enum class StainMethod : uint8_t { none, reinhard, macenko };
/// @throws ConfigError for a name other than none, reinhard, macenko
StainMethod stain_method(const std::string& name);

/// What an image shows of its stain. Logarithms are natural, densities ln((background + 1) / (value
/// + 1)), values 0..255.
struct StainStats {
  /// How far the measurement could be trusted.
  enum Trust : uint8_t {
    nothing,     ///< flat (grey values within 8) or dark: the image is left as it is
    background,  ///< less than 1 % tissue, or one dye alone: macenko moves the background only
    all,
  };
  Trust trust = nothing;
  std::array<double, 3> mean{}, spread{};       ///< of l, alpha, beta
  std::array<double, 3> light{};                ///< red, green, blue of the background
  std::array<std::array<double, 3>, 2> dyes{};  ///< unit densities; the first absorbs less blue
  std::array<double, 2> amounts{};              ///< 99th percentile of each dye in tissue
};

/// Measures the part of an image that lies in `region`; one channel or four are
/// StainStats::nothing.
StainStats measure_stain(const Image& image, const Region& region);
/// Medians of the images that could be measured; dyes have length 1 again.
/// @throws DataError stain.none if there is no such image
StainStats typical_stain(const std::vector<StainStats>& images);
/// The reference that comes with the program: May-Gruenwald-Giemsa as CellaVision DM96 photographs
/// it, the typical stain of the PBC set (Acevedo et al. 2020).
const StainStats& builtin_stain();

/// Numbers in one line, and back. @throws DataError stain.form naming `file`
std::string stain_text(const StainStats& stats);
StainStats parse_stain(const std::string& text, const std::string& file);

/// What normalisation does to a pixel: `offset` + `matrix` times the logarithms of its cone
/// responses (reinhard) or its densities against 256 (macenko); rows are outputs.
struct StainChange {
  StainMethod method = StainMethod::none;
  std::array<float, 9> matrix{};
  std::array<float, 3> offset{};
};
/// From what an image shows to a target. Spreads and amounts are scaled by at most 3 either way.
StainChange stain_change(const StainStats& image, const StainStats& target, StainMethod method);
/// A whole image changed, for pictures; the loader and the device change pixels after resizing.
Image normalise_stain(const Image& image, const StainChange& change);

}  // namespace cytograd
