#pragma once

#include "cytograd/synth/smears.h"
#include "synth/anatomy.h"
#include "synth/canvas.h"

namespace cytograd::synth {

/// Paints a white cell or erythroblast at (x, y) micrometres. With `mask` ([H, W, 1]) also writes
/// 128 over its cytoplasm and 255 over its nucleus, with `instance` writes `id` over both.
void draw_leukocyte(Canvas& canvas, const Anatomy& anatomy, float x, float y, Rng& rng,
                    Image* mask = nullptr, std::vector<uint16_t>* instance = nullptr,
                    uint16_t id = 0);

/// One red cell: an ellipse with a pale centre.
struct RedCell {
  float x, y, radius, stretch, angle, pallor;
};
RedCell make_red_cell(float x, float y, float mean_pallor, Rng& rng);
void draw_red_cell(Canvas& canvas, const RedCell& cell, const Noise& noise, float noise_at);
void draw_platelet(Canvas& canvas, float x, float y, float radius, const Noise& noise, Rng& rng);
/// The purple shadow of a crushed nucleus.
void draw_smudge(Canvas& canvas, float x, float y, const Noise& noise, Rng& rng);

/// @throws ValueError if a field cannot be drawn as asked
void check_smear(const SmearSpec& spec);

/// A disc that red cells keep out of.
struct Keep {
  float x, y, radius;
};
/// Scatters red cells until they cover `share` of the field, a few overlapping.
std::vector<RedCell> scatter_red_cells(const Canvas& canvas, const std::vector<Keep>& keep,
                                       float share, Rng& rng);

}  // namespace cytograd::synth
