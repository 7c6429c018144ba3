#pragma once

#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/synth/cells.h"
#include "synth/shape.h"

namespace cytograd::synth {

/// Granules of one kind.
struct Granules {
  Pigment pigment = Pigment::azurophil;
  float per_um2 = 0;    ///< of cytoplasm
  float radius = 0.3F;  ///< micrometres
  float amount = 1;
  float over_nucleus = 0;  ///< chance that one that falls on the nucleus is drawn
  float opacity = 0.9F;
};

/// A nucleolus.
struct Nucleolus {
  Point at;
  float radius = 0.7F;
};

/// Everything that makes one cell: micrometres around the cell's centre.
struct Anatomy {
  Shape cell, nucleus;
  float cell_rough = 0.15F, cell_rough_scale = 2.5F;  ///< height and width of bumps
  float nucleus_rough = 0.15F, nucleus_rough_scale = 1.6F;
  int lobes = 1;
  // Nucleus.
  float chromatin = 1, contrast = 0.3F, clumping = 0.3F, grain = 0.6F, rim = 0.1F;
  bool fold = false;
  float fold_angle = 0;
  std::vector<Nucleolus> nucleoli;
  // Cytoplasm.
  float basophilia = 0.3F, eosin = 0, hemoglobin = 0;
  float mottle = 0.12F;  ///< unevenness
  float edge = 0;        ///< deeper blue towards the outline
  float hof = 0;         ///< pale zone beside the nucleus
  Point hof_at;
  float halo = 0;  ///< pale ring around the nucleus
  int vacuoles = 0;
  std::vector<Granules> granules;
};

/// Draws the anatomy of a cell. @param age 0 youngest .. 1 oldest of its class
Anatomy make_anatomy(CellClass cell, float age, Rng& rng);

}  // namespace cytograd::synth
