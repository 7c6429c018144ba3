#include "cytograd/synth/smears.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cytograd/core/error.h"
#include "synth/draw.h"

namespace cytograd::synth {
namespace {

// How often a class is met in normal blood, of 100.
struct Frequency {
  CellClass cell;
  double percent;
};
constexpr std::array<Frequency, 7> blood{{{CellClass::segmented, 54},
                                          {CellClass::lymphocyte, 29},
                                          {CellClass::monocyte, 7},
                                          {CellClass::band, 4},
                                          {CellClass::eosinophil, 3.5},
                                          {CellClass::basophil, 1},
                                          {CellClass::metamyelocyte, 1.5}}};

CellClass pick_class(const std::vector<CellClass>& classes, Rng& rng) {
  if (!classes.empty())
    return classes[static_cast<size_t>(rng.below(static_cast<int64_t>(classes.size())))];
  double at = rng.uniform(0, 100);
  for (const Frequency& f : blood)
    if ((at -= f.percent) < 0) return f.cell;
  return CellClass::segmented;
}

struct WhiteCell {
  Anatomy anatomy;
  SmearObject object;
  float x, y, reach;
};

std::vector<WhiteCell> place_white_cells(const Canvas& canvas, const SmearSpec& spec, Rng& rng) {
  std::vector<WhiteCell> cells;
  const int64_t wanted = std::max<int64_t>(1, rng.poisson(spec.white_cells));
  for (int64_t attempt = 0; attempt < 20 * wanted && static_cast<int64_t>(cells.size()) < wanted;
       ++attempt) {
    WhiteCell cell;
    cell.object.name = "WBC";
    cell.object.cell = pick_class(spec.classes, rng);
    const double age = rng.uniform();
    cell.object.maturity = stage(cell.object.cell) - 0.5 + age;
    cell.anatomy = make_anatomy(cell.object.cell, static_cast<float>(age), rng);
    cell.reach = cell.anatomy.cell.extent() - cell.anatomy.cell.melt;
    // Up to half of a cell may lie outside, as in a real field.
    cell.x = static_cast<float>(rng.uniform()) * canvas.width_um();
    cell.y = static_cast<float>(rng.uniform()) * canvas.height_um();
    const bool free = std::all_of(cells.begin(), cells.end(), [&](const WhiteCell& o) {
      return std::hypot(o.x - cell.x, o.y - cell.y) > o.reach + cell.reach + 0.5F;
    });
    if (free) cells.push_back(std::move(cell));
  }
  return cells;
}

// The box of half widths (rx, ry) micrometres around (x, y), cut at the border. False if hardly
// anything of it is inside.
bool make_box(const Canvas& canvas, const std::string& name, float x, float y, float rx, float ry,
              SmearObject& object) {
  const auto pixel = [&](float um) { return static_cast<int>(std::floor(um / canvas.microns())); };
  const int x1 = pixel(x - rx), y1 = pixel(y - ry), x2 = pixel(x + rx), y2 = pixel(y + ry);
  const int w = static_cast<int>(canvas.width()), h = static_cast<int>(canvas.height());
  object.name = name;
  object.x1 = std::max(x1, 0), object.y1 = std::max(y1, 0);
  object.x2 = std::min(x2, w - 1), object.y2 = std::min(y2, h - 1);
  object.truncated = object.x1 != x1 || object.y1 != y1 || object.x2 != x2 || object.y2 != y2;
  const int inside_w = object.x2 - object.x1 + 1, inside_h = object.y2 - object.y1 + 1;
  if (inside_w < 2 || inside_h < 2) return false;
  return 4.0 * inside_w * inside_h >= 1.0 * (x2 - x1 + 1) * (y2 - y1 + 1);
}

void draw_red_cells(Canvas& canvas, const std::vector<Keep>& keep, float share, const Noise& noise,
                    Smear& smear, Rng& rng) {
  for (const RedCell& cell : scatter_red_cells(canvas, keep, share, rng)) {
    draw_red_cell(canvas, cell, noise, static_cast<float>(rng.uniform(0, 64)));
    const float c = std::cos(cell.angle), s = std::sin(cell.angle);
    const float a = cell.radius * cell.stretch, b = cell.radius / cell.stretch;
    SmearObject object;
    if (make_box(canvas, "RBC", cell.x, cell.y, std::hypot(a * c, b * s), std::hypot(a * s, b * c),
                 object))
      smear.objects.push_back(object);
  }
}

void draw_platelets(Canvas& canvas, const std::vector<Keep>& keep, const Noise& noise, Smear& smear,
                    Rng& rng) {
  // About one platelet to 15 red cells.
  const double expected = 1.0 / 900 * static_cast<double>(canvas.width_um() * canvas.height_um());
  for (int64_t i = rng.poisson(expected); i > 0; --i) {
    const auto x = static_cast<float>(rng.uniform()) * canvas.width_um();
    const auto y = static_cast<float>(rng.uniform()) * canvas.height_um();
    const auto radius = static_cast<float>(rng.uniform(0.8, 1.6));
    const bool free = std::all_of(keep.begin(), keep.end(), [&](const Keep& k) {
      return std::hypot(k.x - x, k.y - y) > k.radius + radius;
    });
    if (!free) continue;
    draw_platelet(canvas, x, y, radius, noise, rng);
    SmearObject object;
    if (make_box(canvas, "Platelets", x, y, 1.12F * radius, 1.12F * radius, object))
      smear.objects.push_back(object);
  }
}

// Boxes of the white cells are those of their pixels.
void box_white_cells(const std::vector<uint16_t>& labels, std::vector<WhiteCell>& cells,
                     Smear& smear) {
  const auto width = static_cast<int>(smear.image.width),
             height = static_cast<int>(smear.image.height);
  for (WhiteCell& cell : cells)
    cell.object.x1 = width, cell.object.y1 = height, cell.object.x2 = -1;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const uint16_t id =
          labels[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)];
      smear.instances
          .labels[static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)] =
          id;
      if (id == 0) continue;
      SmearObject& o = cells[static_cast<size_t>(id - 1)].object;
      o.x1 = std::min(o.x1, x), o.x2 = std::max(o.x2, x);
      o.y1 = std::min(o.y1, y), o.y2 = std::max(o.y2, y);
    }
  std::vector<SmearObject> boxes;
  for (size_t i = 0; i < cells.size(); ++i) {
    SmearObject& o = cells[i].object;
    o.instance = static_cast<uint32_t>(i + 1);
    o.truncated = o.x1 == 0 || o.y1 == 0 || o.x2 == width - 1 || o.y2 == height - 1;
    if (o.x2 > o.x1 && o.y2 > o.y1) boxes.push_back(o);
  }
  smear.objects.insert(smear.objects.begin(), boxes.begin(), boxes.end());
}

}  // namespace

void check_smear(const SmearSpec& spec) {
  const auto size = [&](const char* what, int value) {
    check<ValueError>(value >= 64 && value <= 4096, "draw_smear", what, " must be 64 to 4096, got ",
                      value);
  };
  size("width", spec.width), size("height", spec.height);
  check<ValueError>(spec.microns_per_pixel >= 0.02 && spec.microns_per_pixel <= 1, "draw_smear",
                    "microns per pixel must be 0.02 to 1, got ", spec.microns_per_pixel);
  check<ValueError>(spec.white_cells >= 0 && spec.white_cells <= 1000, "draw_smear",
                    "white cells must be 0 to 1000, got ", spec.white_cells);
  check<ValueError>(spec.domain >= 0 && spec.domain < static_cast<int>(stains().size()),
                    "draw_smear", "domain must be 0 to ", stains().size() - 1, ", got ",
                    spec.domain);
}

Smear draw_smear(const SmearSpec& spec) {
  check_smear(spec);
  const Stain& stain = stains()[static_cast<size_t>(spec.domain)];
  Rng rng(spec.seed, "synth smear", static_cast<uint64_t>(spec.domain), spec.index);
  Smear smear;
  smear.image = Image(spec.height, spec.width, 3);
  smear.mask = Image(spec.height, spec.width, 1);
  smear.instances = LabelImage(spec.height, spec.width);

  Canvas canvas(spec.height, spec.width, static_cast<float>(spec.microns_per_pixel), stain, rng);
  std::vector<WhiteCell> cells = place_white_cells(canvas, spec, rng);
  std::vector<Keep> keep;
  for (const WhiteCell& cell : cells) keep.push_back({cell.x, cell.y, cell.reach});
  const Noise noise(rng);
  if (rng.chance(0.15))
    draw_smudge(canvas, static_cast<float>(rng.uniform()) * canvas.width_um(),
                static_cast<float>(rng.uniform()) * canvas.height_um(), noise, rng);
  const float share = stain.red_cells * static_cast<float>(rng.uniform(1.0, 1.8));
  draw_red_cells(canvas, keep, share, noise, smear, rng);
  draw_platelets(canvas, keep, noise, smear, rng);
  std::vector<uint16_t> labels(smear.instances.labels.size(), 0);
  for (size_t i = 0; i < cells.size(); ++i)
    draw_leukocyte(canvas, cells[i].anatomy, cells[i].x, cells[i].y, rng, &smear.mask, &labels,
                   static_cast<uint16_t>(i + 1));
  box_white_cells(labels, cells, smear);
  smear.image = canvas.develop(rng);
  return smear;
}

std::string voc_xml(const Smear& smear, const std::string& file_name) {
  const auto tag = [](const char* name, const std::string& value) {
    return "<" + std::string(name) + ">" + value + "</" + name + ">";
  };
  const auto number = [&](const char* name, int64_t value) {
    return tag(name, std::to_string(value));
  };
  std::string xml = "<annotation>\n  " + tag("folder", "JPEGImages") + "\n  " +
                    tag("filename", file_name) + "\n  <size>" + number("width", smear.image.width) +
                    number("height", smear.image.height) + number("depth", 3) + "</size>\n  " +
                    number("segmented", 1) + "\n";
  for (const SmearObject& o : smear.objects)
    xml += "  <object>" + tag("name", o.name) + tag("pose", "Unspecified") +
           number("truncated", o.truncated) + number("difficult", 0) + "<bndbox>" +
           number("xmin", o.x1 + 1) + number("ymin", o.y1 + 1) + number("xmax", o.x2 + 1) +
           number("ymax", o.y2 + 1) + "</bndbox></object>\n";
  return xml + "</annotation>\n";
}

}  // namespace cytograd::synth
