#include "cytograd/synth/cells.h"

#include <array>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "synth/draw.h"

namespace cytograd::synth {
namespace {

struct ClassName {
  std::string_view name;
  int stage;
};
constexpr std::array<ClassName, cell_class_count> names{{{"blast", 0},
                                                         {"promyelocyte", 1},
                                                         {"myelocyte", 2},
                                                         {"metamyelocyte", 3},
                                                         {"band", 4},
                                                         {"segmented", 5},
                                                         {"eosinophil", 4},
                                                         {"basophil", 4},
                                                         {"promonocyte", 2},
                                                         {"monocyte", 4},
                                                         {"lymphocyte", 4},
                                                         {"proerythroblast", 1},
                                                         {"baso_erythroblast", 2},
                                                         {"poly_erythroblast", 3},
                                                         {"ortho_erythroblast", 4}}};

// Another cell that the border of the picture cuts.
void draw_neighbour(Canvas& canvas, std::vector<Keep>& keep, float clear, Rng& rng) {
  const auto other = static_cast<CellClass>(rng.below(cell_class_count));
  const Anatomy anatomy = make_anatomy(other, static_cast<float>(rng.uniform()), rng);
  const float half = 0.5F * canvas.width_um(), reach = anatomy.cell.extent();
  const auto angle = static_cast<float>(rng.uniform(0, 6.2831853));
  const float away = std::max(half, clear + reach + 0.8F) + static_cast<float>(rng.uniform(0, 2));
  const float x = half + away * std::cos(angle), y = half + away * std::sin(angle);
  draw_leukocyte(canvas, anatomy, x, y, rng);
  keep.push_back({x, y, reach});
}

void draw_surroundings(Canvas& canvas, const Stain& stain, float cell_reach, Rng& rng) {
  const float half = 0.5F * canvas.width_um();
  std::vector<Keep> keep{{half, half, cell_reach}};
  const Noise noise(rng);
  if (rng.chance(0.05))
    draw_smudge(canvas, static_cast<float>(rng.uniform(0, 2)) * half, 0, noise, rng);
  if (rng.chance(0.07)) draw_neighbour(canvas, keep, cell_reach, rng);
  const float share = stain.red_cells * static_cast<float>(rng.uniform(0.5, 1.4));
  for (const RedCell& cell : scatter_red_cells(canvas, keep, share, rng))
    draw_red_cell(canvas, cell, noise, static_cast<float>(rng.uniform(0, 64)));
  for (int64_t i = rng.poisson(1.0); i > 0; --i) {
    const auto x = static_cast<float>(rng.uniform(0, 2)) * half;
    const auto y = static_cast<float>(rng.uniform(0, 2)) * half;
    const auto radius = static_cast<float>(rng.uniform(0.8, 1.6));
    if (std::hypot(x - half, y - half) > cell_reach + radius)
      draw_platelet(canvas, x, y, radius, noise, rng);
  }
}

}  // namespace

std::string_view name(CellClass cell) { return names[static_cast<size_t>(cell)].name; }

int stage(CellClass cell) { return names[static_cast<size_t>(cell)].stage; }

CellClass cell_class(std::string_view wanted) {
  std::vector<std::string> known;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].name == wanted) return static_cast<CellClass>(i);
    known.emplace_back(names[i].name);
  }
  const std::string near = nearest_name(wanted, known);
  throw ConfigError(
      "synth: no class \"" + escape_control(std::string(wanted)) + "\"; " +
      (near.empty() ? "cyto synth cells --help lists them" : "did you mean " + near + "?"));
}

CellPicture draw_cell(const CellSpec& spec) {
  check<ValueError>(spec.domain >= 0 && spec.domain < static_cast<int>(stains().size()),
                    "draw_cell", "domain must be 0 to ", stains().size() - 1, ", got ",
                    spec.domain);
  return draw_cell(spec, stains()[static_cast<size_t>(spec.domain)]);
}

CellPicture draw_cell(const CellSpec& spec, const Stain& stain) {
  check<ValueError>(spec.size >= 16 && spec.size <= 2048, "draw_cell",
                    "size must be 16 to 2048, got ", spec.size);
  const auto id = static_cast<uint64_t>(spec.cell);
  Rng rng(spec.seed, "synth cell", id, spec.index);
  Rng around(spec.seed, "synth cell in " + stain.name, id, spec.index);

  CellPicture picture;
  const double age = rng.uniform();
  picture.maturity = stage(spec.cell) - 0.5 + age;
  const float microns = stain.field_um / static_cast<float>(spec.size);
  picture.microns_per_pixel = static_cast<double>(microns);
  const Anatomy anatomy = make_anatomy(spec.cell, static_cast<float>(age), rng);
  picture.lobes = anatomy.lobes;
  picture.mask = Image(spec.size, spec.size, 1);

  Canvas canvas(spec.size, spec.size, microns, stain, around);
  draw_surroundings(canvas, stain, anatomy.cell.extent() - anatomy.cell.melt, around);
  const float center = 0.5F * canvas.width_um();
  const float dx = static_cast<float>(rng.uniform(-0.8, 0.8)),
              dy = static_cast<float>(rng.uniform(-0.8, 0.8));
  draw_leukocyte(canvas, anatomy, center + dx, center + dy, rng, &picture.mask);
  picture.image = canvas.develop(around);
  return picture;
}

}  // namespace cytograd::synth
