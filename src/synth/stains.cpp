#include "cytograd/synth/stains.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"

namespace cytograd::synth {
namespace {

// Rows of `absorbance`: chromatin, basophilia, eosin, hemoglobin, azurophil, eosinophil granule,
// basophil granule. Optical densities of red, green, blue.
std::vector<Stain> make_stains() {
  std::vector<Stain> all;
  all.push_back({.name = "may_gruenwald_giemsa",
                 .absorbance = {{{1.00F, 1.60F, 0.36F},
                                 {0.95F, 0.82F, 0.20F},
                                 {0.24F, 0.52F, 0.33F},
                                 {0.24F, 0.34F, 0.21F},
                                 {0.80F, 1.75F, 0.55F},
                                 {0.28F, 0.88F, 0.80F},
                                 {1.45F, 2.20F, 0.60F}}},
                 .background = {1.0F, 0.906F, 0.80F},
                 .field_um = 26,
                 .blur_um = 0.05F,
                 .defocus_um = 0.05F,
                 .vignette = 0.025F,
                 .red_cells = 0.38F});
  all.push_back({.name = "pappenheim",
                 .absorbance = {{{0.72F, 1.45F, 0.50F},
                                 {1.10F, 0.80F, 0.17F},
                                 {0.12F, 0.50F, 0.26F},
                                 {0.14F, 0.38F, 0.30F},
                                 {0.55F, 1.70F, 0.70F},
                                 {0.12F, 0.75F, 0.95F},
                                 {1.20F, 2.10F, 0.75F}}},
                 .background = {0.95F, 0.935F, 0.925F},
                 .field_um = 28,
                 .noise = 0.012F,
                 .vignette = 0.07F,
                 .red_cells = 0.36F});
  all.push_back({.name = "rapid_yellow",
                 .absorbance = {{{0.85F, 1.85F, 0.42F},
                                 {1.00F, 0.95F, 0.15F},
                                 {0.20F, 0.50F, 0.10F},
                                 {0.06F, 0.22F, 0.24F},
                                 {0.60F, 1.50F, 0.60F},
                                 {0.10F, 0.80F, 0.70F},
                                 {1.20F, 2.00F, 0.70F}}},
                 .background = {1.0F, 0.97F, 0.72F},
                 .variation = 0.14F,
                 .field_um = 24,
                 .blur_um = 0.13F,
                 .noise = 0.014F,
                 .vignette = 0.08F,
                 .red_cells = 0.18F});
  all.push_back({.name = "purple_overstained",
                 .absorbance = {{{0.85F, 1.70F, 0.48F},
                                 {0.80F, 1.05F, 0.25F},
                                 {0.34F, 0.66F, 0.28F},
                                 {0.34F, 0.52F, 0.24F},
                                 {0.75F, 1.80F, 0.50F},
                                 {0.32F, 1.10F, 0.78F},
                                 {1.30F, 2.20F, 0.60F}}},
                 .background = {0.94F, 0.84F, 0.88F},
                 .contrast = 1.15F,
                 .field_um = 30,
                 .blur_um = 0.10F,
                 .red_cells = 0.42F});
  all.push_back({.name = "wright_grey",
                 .absorbance = {{{0.70F, 1.10F, 0.35F},
                                 {0.75F, 0.60F, 0.12F},
                                 {0.15F, 0.36F, 0.22F},
                                 {0.05F, 0.30F, 0.24F},
                                 {0.50F, 1.20F, 0.45F},
                                 {0.12F, 0.62F, 0.62F},
                                 {1.00F, 1.60F, 0.50F}}},
                 .background = {0.79F, 0.79F, 0.80F},
                 .contrast = 0.95F,
                 .field_um = 32,
                 .blur_um = 0.16F,
                 .noise = 0.016F,
                 .vignette = 0.10F,
                 .red_cells = 0.40F});
  all.push_back({.name = "pale_blue",
                 .absorbance = {{{0.98F, 1.40F, 0.32F},
                                 {1.05F, 0.62F, 0.10F},
                                 {0.22F, 0.34F, 0.18F},
                                 {0.26F, 0.28F, 0.14F},
                                 {0.85F, 1.40F, 0.40F},
                                 {0.30F, 0.72F, 0.60F},
                                 {1.45F, 1.80F, 0.45F}}},
                 .background = {0.90F, 0.93F, 0.95F},
                 .contrast = 0.80F,
                 .field_um = 26,
                 .red_cells = 0.26F});
  return all;
}

}  // namespace

const std::vector<Stain>& stains() {
  static const std::vector<Stain> all = make_stains();
  return all;
}

Stain random_stain(uint64_t seed, uint64_t a, uint64_t b) {
  Rng rng(seed, "synth stain", a, b);
  const auto between = [&rng](double low, double high) {
    return static_cast<float>(rng.uniform(low, high));
  };
  const auto factor = [&rng](double sigma) {
    return static_cast<float>(std::exp(sigma * rng.normal()));
  };
  const auto known = static_cast<int64_t>(stains().size());
  const Stain& one = stains()[static_cast<size_t>(rng.below(known))];
  const Stain& other = stains()[static_cast<size_t>(rng.below(known))];
  const float share = between(0, 1);
  const auto mix = [share](float x, float y) { return x + share * (y - x); };
  Stain out;
  out.name = "random";
  for (size_t p = 0; p < pigment_count; ++p) {
    const float strength = factor(0.15);
    for (size_t c = 0; c < 3; ++c)
      out.absorbance[p][c] =
          mix(one.absorbance[p][c], other.absorbance[p][c]) * strength * factor(0.1);
  }
  const float lamp = between(0.85, 1.05);
  for (size_t c = 0; c < 3; ++c)
    out.background[c] =
        std::min(1.0F, mix(one.background[c], other.background[c]) * lamp * factor(0.04));
  out.contrast = between(0.7, 1.3);
  out.variation = 0.08F;
  // Even in its logarithm: as often enlarged as reduced.
  out.field_um = 18 * std::pow(40.0F / 18, between(0, 1));
  out.blur_um = between(0.03, 0.2);
  out.defocus_um = between(0.02, 0.12);
  out.noise = between(0.003, 0.02);
  out.vignette = between(0, 0.12);
  out.red_cells = between(0.08, 0.5);
  return out;
}

std::vector<std::string> stain_names() {
  std::vector<std::string> names;
  for (const Stain& s : stains()) names.push_back(s.name);
  return names;
}

const Stain& stain(std::string_view name) {
  std::string known;
  for (const Stain& s : stains()) {
    if (s.name == name) return s;
    known += (known.empty() ? "" : ", ") + s.name;
  }
  throw ConfigError("stain: no stain \"" + std::string(name) + "\", there are " + known);
}

}  // namespace cytograd::synth
