#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// How a smear was stained and photographed. Light is absorbed as Beer and Lambert say: a pixel is
/// background * 10-to-the-minus (here e-to-the-minus) the sum of dye amounts times what each dye
/// absorbs of red, green and blue.

namespace cytograd::synth {

/// What absorbs light in a smear. Amount 1 is a well-stained instance of each.
enum class Pigment {
  chromatin,           ///< purple: azure B with eosin on DNA
  basophilia,          ///< blue: azure B on ribosomal RNA
  eosin,               ///< pink: mature cytoplasm
  hemoglobin,          ///< red cells and late erythroblasts
  azurophil,           ///< red-purple primary granules
  eosinophil_granule,  ///< orange
  basophil_granule,    ///< dark violet
};
inline constexpr int pigment_count = 7;

using Rgb = std::array<float, 3>;

/// One laboratory: dyes, light, optics, scale.
struct Stain {
  std::string name;
  std::array<Rgb, pigment_count> absorbance;  ///< natural-log optical density at amount 1
  Rgb background{1, 1, 1};                    ///< light without a cell, 0..1
  float contrast = 1;                         ///< scales every optical density
  float variation = 0.08F;                    ///< spread of dye strength and colour between images
  float field_um = 28;                        ///< width of a single-cell image in micrometres
  float blur_um = 0.08F;                      ///< standard deviation of the optical blur
  float defocus_um = 0.06F;                   ///< spread of the extra blur of an image out of focus
  float noise = 0.008F;                       ///< standard deviation of the sensor noise, 0..1
  float vignette = 0.04F;                     ///< darkening from the centre to a corner
  float red_cells = 0.3F;                     ///< share of the field that red cells cover
};

/// The built-in stains, in the order domains are numbered: may_gruenwald_giemsa, pappenheim,
/// rapid_yellow, purple_overstained, wright_grey, pale_blue.
const std::vector<Stain>& stains();
/// A laboratory that does not exist: dyes and light between two of the built-in ones and beyond,
/// with a scale of 18 to 40 micrometres, focus, noise, vignette and red cells of its own. A network
/// that has seen thousands of them has to go by what they share (domain randomisation, Tobin et al.
/// 2017). Depends on (seed, a, b) alone; it is named "random".
Stain random_stain(uint64_t seed, uint64_t a, uint64_t b);
/// Names of `stains()`.
std::vector<std::string> stain_names();
/// @throws ConfigError listing the names if there is none of this name
const Stain& stain(std::string_view name);

}  // namespace cytograd::synth
