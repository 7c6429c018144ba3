#include "synth/anatomy.h"

#include <array>
#include <cmath>
#include <numbers>

namespace cytograd::synth {
namespace {

constexpr float pi = std::numbers::pi_v<float>;

// A quantity at the young and at the old end of a class.
struct Span {
  float young, old;
  float at(float age) const { return young + age * (old - young); }
};

enum class Form { round, bean, band, lobed };

// What the textbook says of a class. Radii in micrometres, `nc` is nucleus area / cell area.
struct Row {
  Span radius;
  float radius_spread;
  Span nc;
  Form form;
  float eccentric;  // shift of the nucleus as a share of the free space
  float cell_rough;
  Span chromatin, contrast, clumping, grain;
  Span nucleoli;
  Span basophilia, eosin, hemoglobin;
  float mottle, edge, hof, halo;
};

// clang-format off
constexpr std::array<Row, cell_class_count> rows{{
//  radius      spread  nc             form         ecc   rough  chromatin     contrast      clumping      grain         nucleoli    basophilia    eosin         hemoglobin    mottl edge  hof   halo
  {{8.0F,7.6F}, 0.08F, {0.80F,0.72F}, Form::round,  0.5F, 0.22F, {0.66F,0.72F},{0.30F,0.38F},{0.05F,0.15F},{0.40F,0.45F},{3.4F,2.4F},{0.62F,0.52F},{0.00F,0.00F},{0,0},        0.10F,0.18F,0.10F,0.10F},  // blast
  {{9.6F,9.0F}, 0.07F, {0.62F,0.56F}, Form::round,  0.8F, 0.22F, {0.70F,0.78F},{0.32F,0.43F},{0.10F,0.25F},{0.45F,0.55F},{1.8F,0.8F},{0.58F,0.46F},{0.05F,0.12F},{0,0},        0.14F,0.10F,0.45F,0.05F},  // promyelocyte
  {{8.4F,7.8F}, 0.07F, {0.50F,0.44F}, Form::round,  0.9F, 0.22F, {0.86F,0.96F},{0.35F,0.43F},{0.30F,0.45F},{0.60F,0.70F},{0.1F,0.0F},{0.30F,0.16F},{0.22F,0.32F},{0,0},        0.22F,0.04F,0.40F,0.00F},  // myelocyte
  {{7.7F,7.2F}, 0.07F, {0.41F,0.36F}, Form::bean,   0.7F, 0.22F, {0.98F,1.06F},{0.36F,0.42F},{0.45F,0.60F},{0.70F,0.80F},{0,0},      {0.13F,0.08F},{0.34F,0.38F},{0,0},        0.20F,0.02F,0.15F,0.00F},  // metamyelocyte
  {{7.0F,6.8F}, 0.06F, {0.33F,0.30F}, Form::band,   0.2F, 0.20F, {1.08F,1.15F},{0.34F,0.38F},{0.60F,0.70F},{0.80F,0.90F},{0,0},      {0.06F,0.05F},{0.38F,0.40F},{0,0},        0.20F,0.00F,0.00F,0.00F},  // band
  {{6.8F,6.6F}, 0.06F, {0.30F,0.26F}, Form::lobed,  0.2F, 0.22F, {1.15F,1.25F},{0.30F,0.35F},{0.65F,0.75F},{0.85F,0.95F},{0,0},      {0.05F,0.04F},{0.40F,0.42F},{0,0},        0.20F,0.00F,0.00F,0.00F},  // segmented
  {{7.2F,7.0F}, 0.06F, {0.34F,0.28F}, Form::lobed,  0.7F, 0.20F, {0.92F,1.02F},{0.32F,0.38F},{0.60F,0.70F},{0.80F,0.90F},{0,0},      {0.14F,0.08F},{0.20F,0.20F},{0,0},        0.12F,0.00F,0.00F,0.00F},  // eosinophil
  {{6.6F,6.2F}, 0.07F, {0.46F,0.40F}, Form::lobed,  0.3F, 0.28F, {0.80F,0.88F},{0.21F,0.26F},{0.35F,0.45F},{0.80F,0.90F},{0,0},      {0.16F,0.10F},{0.28F,0.30F},{0,0},        0.20F,0.00F,0.00F,0.00F},  // basophil
  {{9.0F,8.7F}, 0.07F, {0.62F,0.56F}, Form::bean,   0.5F, 0.34F, {0.66F,0.72F},{0.36F,0.43F},{0.12F,0.20F},{0.50F,0.60F},{1.6F,0.6F},{0.46F,0.38F},{0.06F,0.08F},{0,0},        0.24F,0.06F,0.10F,0.00F},  // promonocyte
  {{8.6F,8.2F}, 0.09F, {0.46F,0.40F}, Form::bean,   0.5F, 0.50F, {0.78F,0.84F},{0.39F,0.45F},{0.25F,0.35F},{0.75F,0.90F},{0,0},      {0.34F,0.28F},{0.10F,0.12F},{0,0},        0.28F,0.02F,0.00F,0.00F},  // monocyte
  {{5.3F,4.7F}, 0.12F, {0.76F,0.82F}, Form::round,  0.9F, 0.24F, {1.06F,1.20F},{0.30F,0.36F},{0.45F,0.60F},{0.90F,1.10F},{0,0},      {0.52F,0.46F},{0.00F,0.00F},{0,0},        0.10F,0.12F,0.00F,0.15F},  // lymphocyte
  {{9.4F,8.8F}, 0.07F, {0.74F,0.68F}, Form::round,  0.3F, 0.30F, {0.74F,0.80F},{0.34F,0.41F},{0.15F,0.25F},{0.50F,0.60F},{2.2F,1.2F},{1.10F,1.20F},{0.00F,0.00F},{0,0},        0.12F,0.35F,0.25F,0.45F},  // proerythroblast
  {{7.4F,6.8F}, 0.06F, {0.64F,0.56F}, Form::round,  0.3F, 0.15F, {0.95F,1.08F},{0.39F,0.46F},{0.55F,0.75F},{0.85F,0.95F},{0,0},      {1.20F,0.98F},{0.00F,0.02F},{0.0F,0.1F},  0.10F,0.20F,0.10F,0.35F},  // baso_erythroblast
  {{6.2F,5.5F}, 0.06F, {0.44F,0.34F}, Form::round,  0.5F, 0.14F, {1.18F,1.34F},{0.44F,0.44F},{0.85F,0.95F},{0.95F,0.90F},{0,0},      {0.60F,0.32F},{0.02F,0.05F},{0.4F,0.8F},  0.10F,0.04F,0.00F,0.10F},  // poly_erythroblast
  {{5.1F,4.5F}, 0.05F, {0.26F,0.17F}, Form::round,  0.9F, 0.12F, {1.55F,1.80F},{0.14F,0.06F},{0.60F,0.50F},{0.80F,0.80F},{0,0},      {0.16F,0.05F},{0.04F,0.04F},{1.00F,1.15F},0.06F,0.00F,0.00F,0.00F},  // ortho_erythroblast
}};
// clang-format on

float spread(Rng& rng, float amount) {
  return 1 + amount * static_cast<float>(std::clamp(rng.normal(), -2.0, 2.0));
}

float between(Rng& rng, float low, float high) {
  return static_cast<float>(rng.uniform(low, high));
}

Shape oval(float radius, float stretch, Rng& rng) {
  const float half = radius * stretch, r = radius * (1 - 0.5F * stretch);
  const float taper = between(rng, 0.94F, 1.06F);
  return {{{{-half, 0}, {half, 0}, r * taper, r / taper}}, 0.5F};
}

// A bent sausage: capsules along an arc of radius `bend` over `angle`.
Shape sausage(float bend, float angle, float thickness, float knob, Rng& rng) {
  constexpr int steps = 6;
  Shape shape{{}, 0.6F};
  // An S has its second half bent the other way.
  const bool s_form = knob > 0 && rng.chance(0.2);
  const float length = bend * angle / steps;
  Point at{0, 0};
  float heading = 0, radius = thickness * (1 + knob * between(rng, 0.0F, 1.0F));
  for (int i = 0; i < steps; ++i) {
    const float turn = (s_form && i >= steps / 2 ? -1.0F : 1.0F) * angle / steps;
    heading += turn * spread(rng, 0.2F);
    const Point next{at.x + length * std::cos(heading), at.y + length * std::sin(heading)};
    const bool end = i == steps - 1;
    const float next_radius =
        thickness * (end ? 1 + knob * between(rng, 0.0F, 1.0F) : spread(rng, 0.06F));
    shape.parts.push_back({at, next, radius, next_radius});
    at = next, radius = next_radius;
  }
  return shape;
}

// Lobes around a ring, neighbours joined by threads.
Shape lobes(int count, float lobe, Rng& rng) {
  Shape shape{{}, 0.45F};
  const float ring = lobe * (count == 2 ? 1.25F : 1.0F + 0.26F * static_cast<float>(count));
  const float step = count == 2 ? between(rng, 2.0F, 2.9F)
                                : 2 * pi / (static_cast<float>(count) + between(rng, 0.2F, 1.1F));
  std::vector<Point> centers;
  for (int i = 0; i < count; ++i) {
    const float angle = step * static_cast<float>(i) + between(rng, -0.18F, 0.18F);
    const float reach = ring * spread(rng, 0.08F),
                tangent = angle + pi / 2 + between(rng, -0.5F, 0.5F);
    const Point c{reach * std::cos(angle), reach * std::sin(angle)};
    const float half = lobe * between(rng, 0.15F, 0.55F), r = lobe * spread(rng, 0.1F);
    const float dx = half * std::cos(tangent), dy = half * std::sin(tangent);
    shape.parts.push_back(
        {{c.x - dx, c.y - dy}, {c.x + dx, c.y + dy}, r, r * between(rng, 0.8F, 1.0F)});
    centers.push_back(c);
  }
  for (size_t i = 1; i < centers.size(); ++i) {
    const float r = between(rng, 0.14F, 0.30F);
    shape.parts.push_back({centers[i - 1], centers[i], r, r});
  }
  return shape;
}

// Moves the middle of the area to the origin and scales the area to `area`.
void fit(Shape& shape, float area) {
  float sum = 0, sum_x = 0, sum_y = 0;
  constexpr float step = 0.5F;
  const float reach = shape.extent();
  for (float y = -reach; y <= reach; y += step)
    for (float x = -reach; x <= reach; x += step)
      if (shape.distance(x, y) < 0) sum += 1, sum_x += x, sum_y += y;
  shape.move(-sum_x / sum, -sum_y / sum);
  const float factor = std::sqrt(area / (sum * step * step));
  for (Capsule& c : shape.parts) {
    for (Point* p : {&c.from, &c.to}) p->x *= factor, p->y *= factor;
    c.radius_from *= factor, c.radius_to *= factor;
  }
}

int count_lobes(CellClass cell, float age, Rng& rng) {
  if (cell == CellClass::eosinophil) return rng.chance(0.22) ? 3 : 2;
  if (cell == CellClass::basophil) return rng.chance(0.5) ? 3 : 2;
  // Filamented neutrophils: mostly 3, more with age.
  const double x = rng.uniform() + 0.35 * (age - 0.5);
  return x < 0.18 ? 2 : x < 0.66 ? 3 : x < 0.93 ? 4 : 5;
}

Shape make_nucleus(CellClass cell, Form form, float age, int lobe_count, Rng& rng) {
  switch (form) {
    case Form::round:
      return oval(3, between(rng, 0.02F, cell == CellClass::ortho_erythroblast ? 0.10F : 0.26F),
                  rng);
    case Form::bean: {
      if (cell == CellClass::promonocyte)
        return sausage(between(rng, 2.0F, 2.6F), between(rng, 1.6F, 2.6F), 3.4F, 0.05F, rng);
      if (cell == CellClass::monocyte)
        return sausage(between(rng, 2.0F, 3.0F), between(rng, 2.2F, 4.0F), between(rng, 1.9F, 2.5F),
                       0.2F, rng);
      return sausage(2.3F + 0.5F * age, between(rng, 1.9F, 2.4F) + 0.9F * age, 2.4F - 0.6F * age, 0,
                     rng);
    }
    case Form::band:
      return sausage(between(rng, 2.7F, 3.3F), between(rng, 3.1F, 4.4F), 1.45F - 0.15F * age, 0.22F,
                     rng);
    case Form::lobed:
      return lobes(lobe_count, 1.6F, rng);
  }
  return {};
}

Shape make_cell(CellClass cell, float radius, Rng& rng) {
  Shape shape = oval(radius, between(rng, 0.01F, 0.20F), rng);
  int feet = 0;
  if (cell == CellClass::monocyte) feet = static_cast<int>(rng.below(4));
  if (cell == CellClass::promonocyte || cell == CellClass::blast) feet = rng.chance(0.25) ? 1 : 0;
  // Young erythroblasts often show small ears of cytoplasm.
  if (cell == CellClass::proerythroblast) feet = static_cast<int>(rng.below(3));
  shape.melt = feet ? 1.6F : 0.5F;
  for (int i = 0; i < feet; ++i) {
    const float angle = between(rng, 0, 2 * pi), r = radius * between(rng, 0.16F, 0.3F);
    const float reach = radius - r * between(rng, 0.1F, 0.5F);
    const Point p{reach * std::cos(angle), reach * std::sin(angle)};
    shape.parts.push_back({{0.5F * p.x, 0.5F * p.y}, p, r * 1.5F, r});
  }
  return shape;
}

void add_granules(CellClass cell, float age, Anatomy& a, Rng& rng) {
  const auto add = [&](Granules g) {
    g.per_um2 *= spread(rng, 0.2F);
    a.granules.push_back(g);
  };
  switch (cell) {
    case CellClass::promyelocyte:
      return add({Pigment::azurophil, 1.25F - 0.40F * age, 0.29F, 0.95F, 0.50F, 0.9F});
    case CellClass::myelocyte:
      add({Pigment::azurophil, 0.30F - 0.22F * age, 0.26F, 0.7F, 0.10F, 0.8F});
      return add({Pigment::azurophil, 0.9F, 0.16F, 0.34F, 0, 0.6F});
    case CellClass::metamyelocyte:
    case CellClass::band:
    case CellClass::segmented:
      return add({Pigment::azurophil, 1.4F, 0.16F, 0.42F, 0, 0.65F});
    case CellClass::eosinophil:
      return add({Pigment::eosinophil_granule, 2.4F, 0.44F, 0.95F, 0.04F, 0.85F});
    case CellClass::basophil:
      return add({Pigment::basophil_granule, 0.95F, 0.42F, 0.85F, 0.75F, 0.88F});
    case CellClass::promonocyte:
      return add({Pigment::azurophil, 0.35F, 0.17F, 0.55F, 0.05F, 0.7F});
    case CellClass::monocyte:
      return add({Pigment::azurophil, 0.40F, 0.14F, 0.45F, 0, 0.6F});
    case CellClass::lymphocyte:
      if (rng.chance(0.15)) add({Pigment::azurophil, 0.25F, 0.24F, 0.8F, 0, 0.85F});
      return;
    default:
      return;
  }
}

// Vacuoles, nucleoli, folds, and the pale Golgi zone on the far side of the nucleus.
void add_details(CellClass cell, float age, const Row& row, Point shift, float nucleus_radius,
                 Anatomy& a, Rng& rng) {
  const float distance = std::hypot(shift.x, shift.y);
  if (distance > 0.2F)
    a.hof_at = {shift.x - shift.x / distance * nucleus_radius * 1.25F,
                shift.y - shift.y / distance * nucleus_radius * 1.25F};
  if (cell == CellClass::monocyte) a.vacuoles = static_cast<int>(rng.poisson(2.5));
  if (cell == CellClass::promonocyte || cell == CellClass::basophil)
    a.vacuoles = static_cast<int>(rng.poisson(0.6));
  const int nucleoli = static_cast<int>(row.nucleoli.at(age) + between(rng, 0, 0.999F));
  for (int i = 0; i < nucleoli; ++i) {
    const float angle = between(rng, 0, 2 * pi), reach = nucleus_radius * between(rng, 0.1F, 0.62F);
    a.nucleoli.push_back({{shift.x + reach * std::cos(angle), shift.y + reach * std::sin(angle)},
                          between(rng, 0.65F, 1.25F)});
  }
  a.fold = (cell == CellClass::monocyte || cell == CellClass::promonocyte) && rng.chance(0.7);
  a.fold_angle = between(rng, 0, pi);
}

}  // namespace

Anatomy make_anatomy(CellClass cell, float age, Rng& rng) {
  const Row& row = rows[static_cast<size_t>(cell)];
  Anatomy a;
  float radius = row.radius.at(age) * spread(rng, row.radius_spread);
  float nc = std::min(row.nc.at(age) * spread(rng, 0.06F), 0.88F);
  // Large granular lymphocytes have more cytoplasm.
  if (cell == CellClass::lymphocyte && rng.chance(0.2)) radius *= 1.25F, nc *= 0.75F;
  const float turn = between(rng, 0, 2 * pi), nucleus_turn = between(rng, 0, 2 * pi);
  a.cell = make_cell(cell, radius, rng);
  a.cell.rotate(turn);
  a.cell_rough = row.cell_rough * between(rng, 0.6F, 1.9F);
  if (row.form == Form::lobed) a.lobes = count_lobes(cell, age, rng);
  a.nucleus = make_nucleus(cell, row.form, age, a.lobes, rng);
  fit(a.nucleus, nc * pi * radius * radius);
  a.nucleus.rotate(row.form == Form::round ? turn + between(rng, -0.5F, 0.5F) : nucleus_turn);
  const float nucleus_radius = radius * std::sqrt(nc);
  const float push = row.eccentric * (radius - nucleus_radius) * between(rng, 0.3F, 0.9F);
  const Point shift{push * std::cos(nucleus_turn), push * std::sin(nucleus_turn)};
  a.nucleus.move(shift.x, shift.y);
  if (cell == CellClass::ortho_erythroblast) a.nucleus_rough = 0.06F;

  a.chromatin = row.chromatin.at(age) * spread(rng, 0.06F);
  a.contrast = row.contrast.at(age) * spread(rng, 0.1F);
  a.clumping = row.clumping.at(age);
  a.grain = row.grain.at(age) * spread(rng, 0.08F);
  a.rim = 0.16F;
  a.basophilia = row.basophilia.at(age) * spread(rng, 0.12F);
  a.eosin = row.eosin.at(age) * spread(rng, 0.12F);
  a.hemoglobin = row.hemoglobin.at(age) * spread(rng, 0.08F);
  a.mottle = row.mottle, a.edge = row.edge, a.hof = row.hof, a.halo = row.halo;
  add_details(cell, age, row, shift, nucleus_radius, a, rng);
  add_granules(cell, age, a, rng);
  return a;
}

}  // namespace cytograd::synth
