#include "cytograd/data/field_view.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cytograd/core/error.h"
#include "data/change.h"

namespace cytograd {
namespace {

using detection::MaskPiece;

constexpr float smallest_part = 0.3f;  // of a box that stays an object
constexpr float smallest_area = 16;    // square pixels
constexpr float well_seen = 0.7f;      // of a box that makes a window worth it

float f32(int64_t n) { return static_cast<float>(n); }

// out(i, j) = in(source(i, j))
template <class Source>
MaskPiece remap(const MaskPiece& in, int64_t x, int64_t y, int64_t width, int64_t height,
                Source source) {
  if (in.empty()) return {};
  MaskPiece out{x, y, width, height, {}};
  out.values.reserve(in.values.size());
  for (int64_t i = 0; i < height; ++i)
    for (int64_t j = 0; j < width; ++j) {
      const std::pair<int64_t, int64_t> at = source(i, j);
      out.values.push_back(in.values[static_cast<size_t>(at.first * in.width + at.second)]);
    }
  return out;
}

FieldView quarter_turn(const FieldView& view) {
  FieldView out{rotate_90(view.image, 1), view.objects};
  const int64_t width = view.image.width;
  for (FieldObject& o : out.objects) {
    const detection::Box b = o.box;
    o.box = {b.y1, f32(width) - b.x2, b.y2, f32(width) - b.x1};
    const MaskPiece& m = o.mask;
    o.mask = remap(m, m.y, width - m.x - m.width, m.height, m.width,
                   [&m](int64_t i, int64_t j) { return std::pair(j, m.width - 1 - i); });
  }
  return out;
}

// The share of a box that a window shows.
float seen(const detection::Box& box, const Region& w) {
  const float width = std::min(box.x2, f32(w.x + w.width)) - std::max(box.x1, f32(w.x)),
              height = std::min(box.y2, f32(w.y + w.height)) - std::max(box.y1, f32(w.y));
  return width > 0 && height > 0 ? width * height / box.area() : 0;
}

bool worth_showing(const std::vector<FieldObject>& objects, const Region& window) {
  bool any = objects.empty();
  for (const FieldObject& o : objects) {
    const float share = seen(o.box, window);
    if (o.has_mask() && share > 0.05f && share < 0.95f) return false;
    any = any || share >= well_seen;
  }
  return any;
}

Image recoloured(const Image& image, const kernels::ImageChange& change) {
  resample::Planes planes(image.height, image.width);
  const int64_t pixels = image.height * image.width;
  for (int c = 0; c < 3; ++c) {
    float* to = planes.plane(c);
    for (int64_t i = 0; i < pixels; ++i) to[i] = image.pixels[static_cast<size_t>(i * 3 + c)];
  }
  change_colours(change, planes);
  Image out(image.height, image.width, 3);
  for (int c = 0; c < 3; ++c) {
    const float* from = planes.plane(c);
    for (int64_t i = 0; i < pixels; ++i)
      out.pixels[static_cast<size_t>(i * 3 + c)] =
          static_cast<uint8_t>(std::clamp(from[i] + 0.5f, 0.f, 255.f));
  }
  return out;
}

}  // namespace

FieldView flip_horizontal(const FieldView& view) {
  FieldView out{flip_horizontal(view.image), view.objects};
  const int64_t width = view.image.width;
  for (FieldObject& o : out.objects) {
    const detection::Box b = o.box;
    o.box = {f32(width) - b.x2, b.y1, f32(width) - b.x1, b.y2};
    const MaskPiece& m = o.mask;
    o.mask = remap(m, width - m.x - m.width, m.y, m.width, m.height,
                   [&m](int64_t i, int64_t j) { return std::pair(i, m.width - 1 - j); });
  }
  return out;
}

FieldView flip_vertical(const FieldView& view) {
  FieldView out{flip_vertical(view.image), view.objects};
  const int64_t height = view.image.height;
  for (FieldObject& o : out.objects) {
    const detection::Box b = o.box;
    o.box = {b.x1, f32(height) - b.y2, b.x2, f32(height) - b.y1};
    const MaskPiece& m = o.mask;
    o.mask = remap(m, m.x, height - m.y - m.height, m.width, m.height,
                   [&m](int64_t i, int64_t j) { return std::pair(m.height - 1 - i, j); });
  }
  return out;
}

FieldView rotate_90(const FieldView& view, int64_t turns) {
  FieldView out = view;
  for (int64_t t = ((turns % 4) + 4) % 4; t > 0; --t) out = quarter_turn(out);
  return out;
}

FieldView crop(const FieldView& view, const Region& w) {
  const Image& image = view.image;
  check<ValueError>(w.y >= 0 && w.x >= 0 && w.height >= 1 && w.width >= 1 &&
                        w.y + w.height <= image.height && w.x + w.width <= image.width,
                    "crop", "expects a window inside ", image.width, " x ", image.height,
                    " pixels, got ", w.width, " x ", w.height, " at ", w.x, ", ", w.y);
  FieldView out{crop(image, w), {}};
  for (const FieldObject& o : view.objects) {
    const float share = seen(o.box, w);
    if (share < smallest_part) continue;
    FieldObject part = o;
    part.mask = detection::cut(o.mask, w.y, w.x, w.height, w.width);
    const detection::Box moved{o.box.x1 - f32(w.x), o.box.y1 - f32(w.y), o.box.x2 - f32(w.x),
                               o.box.y2 - f32(w.y)};
    part.box = detection::clip(moved, w.height, w.width);
    if (!(part.box == moved) && part.has_mask()) part.box = detection::bounds(part.mask);
    if (part.box.area() >= smallest_area) out.objects.push_back(std::move(part));
  }
  return out;
}

Region draw_window(const FieldView& view, const FieldAugmentation& a, Rng& rng) {
  const int64_t height = view.image.height, width = view.image.width;
  const Region whole{0, 0, height, width};
  const bool tiled = a.tile > 0 && (height > a.tile || width > a.tile);
  Region window{0, 0, std::min(height, a.tile), std::min(width, a.tile)};
  if (!tiled) {
    if (!(a.crop > 0 && rng.chance(a.crop))) return whole;
    const double share = rng.uniform(a.crop_min, 1);
    const auto part = [share](int64_t n) {
      return std::clamp<int64_t>(std::llround(static_cast<double>(n) * share), 1, n);
    };
    window = {0, 0, part(height), part(width)};
  }
  for (int attempt = 0; attempt < 10; ++attempt) {
    const int64_t down = height - window.height, right = width - window.width;
    window.y = rng.below(down + 1);
    window.x = rng.below(right + 1);
    if (tiled && !view.objects.empty() && rng.chance(0.8)) {
      const auto k = static_cast<size_t>(rng.below(static_cast<int64_t>(view.objects.size())));
      const detection::Box& box = view.objects[k].box;
      const auto about = [&rng](float centre, int64_t side, int64_t room) {
        return std::clamp<int64_t>(std::llround(centre) - rng.below(side), 0, room);
      };
      window.y = about((box.y1 + box.y2) / 2, window.height, down);
      window.x = about((box.x1 + box.x2) / 2, window.width, right);
    }
    if (worth_showing(view.objects, window)) return window;
  }
  return tiled ? window : whole;
}

FieldView augment(const FieldView& view, const FieldAugmentation& a, Rng rng) {
  check<ValueError>(view.image.channels == 3, "augment", "expects 3 channels, got ",
                    view.image.channels);
  const Region window = draw_window(view, a, rng);
  const bool whole = window == Region{0, 0, view.image.height, view.image.width};
  FieldView out = whole ? view : crop(view, window);
  if (a.pixels.flip_horizontal > 0 && rng.chance(a.pixels.flip_horizontal))
    out = flip_horizontal(out);
  if (a.pixels.flip_vertical > 0 && rng.chance(a.pixels.flip_vertical)) out = flip_vertical(out);
  if (a.pixels.rotate_90) out = rotate_90(out, rng.below(4));
  kernels::ImageChange change;
  plan_colours(a.pixels, rng, change);
  const bool coloured = change.stained != 0 || change.gray != 0 || change.blur_radius > 0 ||
                        change.steps[0] != kernels::ImageChange::none;
  if (coloured) out.image = recoloured(out.image, change);
  return out;
}

}  // namespace cytograd
