#include <algorithm>
#include <cmath>

#include "synth/draw.h"

namespace cytograd::synth {
namespace {

// The outlines of a cell after roughening, at one place.
struct Distances {
  float cell, nucleus;
};

class Painter {
 public:
  Painter(Canvas& canvas, const Anatomy& anatomy, float x, float y, Rng& rng)
      : canvas_(canvas), a_(anatomy), x_(x), y_(y), noise_(rng) {
    // No texture lines up with another.
    for (Point& p : offset_)
      p = {static_cast<float>(rng.uniform(0, 64)), static_cast<float>(rng.uniform(0, 64))};
  }

  void body(Image* mask, std::vector<uint16_t>* instance, uint16_t id) {
    canvas_.each_pixel(x_, y_, a_.cell.extent() + 1, [&](int64_t py, int64_t px, float u, float v) {
      const Distances d = distances(u, v);
      if (d.cell > canvas_.microns()) return;
      const float inside = canvas_.coverage(d.cell), nuclear = canvas_.coverage(d.nucleus);
      Rgb color = cytoplasm(u, v, d);
      if (nuclear > 0) Canvas::cover(color, nucleus(u, v, d), nuclear);
      Canvas::cover(canvas_.at(py, px), color, inside);
      if (d.cell >= 0) return;
      if (mask) *mask->at(py, px) = d.nucleus < 0 ? 255 : 128;
      if (instance) (*instance)[static_cast<size_t>(py * canvas_.width() + px)] = id;
    });
  }

  void vacuoles(Rng& rng) {
    for (int i = 0; i < a_.vacuoles; ++i) {
      const float radius = static_cast<float>(rng.uniform(0.3, 0.75));
      Point p;
      if (!place(rng, radius, 0.1F, p)) continue;
      canvas_.each_pixel(x_ + p.x, y_ + p.y, radius + canvas_.microns(),
                         [&](int64_t py, int64_t px, float u, float v) {
                           const float s = canvas_.coverage(std::hypot(u, v) - radius);
                           for (float& c : canvas_.at(py, px)) c *= 1 - 0.75F * s;
                         });
    }
  }

  void granules(const Granules& kind, float cytoplasm_um2, Rng& rng) {
    const auto count = static_cast<int>(kind.per_um2 * cytoplasm_um2);
    for (int i = 0; i < count; ++i) {
      const float radius = kind.radius * static_cast<float>(rng.uniform(0.7, 1.3));
      const float amount = kind.amount * static_cast<float>(rng.uniform(0.65, 1.25));
      Point p;
      if (!place(rng, 0.6F * radius, kind.over_nucleus, p)) continue;
      canvas_.disc(x_ + p.x, y_ + p.y, radius, canvas_.density(kind.pigment, amount), kind.opacity);
      // The bright core of a refractile granule.
      if (kind.pigment == Pigment::eosinophil_granule)
        canvas_.disc(x_ + p.x, y_ + p.y, 0.5F * radius,
                     canvas_.density(kind.pigment, 0.7F * amount), 0.5F);
    }
  }

 private:
  Distances distances(float u, float v) const {
    const float cell =
        a_.cell.distance(u, v) + a_.cell_rough * noise_.two(u / a_.cell_rough_scale + offset_[0].x,
                                                            v / a_.cell_rough_scale + offset_[0].y);
    const float nucleus = a_.nucleus.distance(u, v) +
                          a_.nucleus_rough * noise_.two(u / a_.nucleus_rough_scale + offset_[1].x,
                                                        v / a_.nucleus_rough_scale + offset_[1].y);
    return {cell, std::max(nucleus, cell + 0.3F)};
  }

  Rgb cytoplasm(float u, float v, const Distances& d) const {
    const float coarse = noise_.two(u / 1.3F + offset_[2].x, v / 1.3F + offset_[2].y);
    const float fine = noise_(u / 0.4F + offset_[3].x, v / 0.4F + offset_[3].y);
    const float uneven = 1 + a_.mottle * (coarse + 0.8F * fine);
    float blue = a_.basophilia + a_.edge * smoothstep(-2.2F, -0.2F, d.cell);
    const float hu = u - a_.hof_at.x, hv = v - a_.hof_at.y;
    float pale = a_.hof * std::exp(-(hu * hu + hv * hv) / 6.0F);
    pale = std::max(pale, a_.halo * smoothstep(1.2F, 0.1F, d.nucleus));
    // The cell is thinner towards its edge; the edge itself is seen as a faint line.
    const float thick = 0.82F + 0.18F * smoothstep(0, -1.2F, d.cell);
    const float line = 0.10F * smoothstep(-0.5F, -0.1F, d.cell);
    Amounts m{};
    of(m, Pigment::basophilia) = (blue * (1 - pale) * uneven + line) * thick;
    of(m, Pigment::eosin) =
        (a_.eosin * uneven + 0.35F * pale * a_.basophilia + 0.3F * line) * thick;
    of(m, Pigment::hemoglobin) = a_.hemoglobin * (0.94F + 0.06F * uneven) * thick;
    return canvas_.density(m);
  }

  Rgb nucleus(float u, float v, const Distances& d) const {
    const float wave = noise_.two(u / a_.grain + offset_[4].x, v / a_.grain + offset_[4].y);
    const float fine = noise_(u / 0.35F + offset_[5].x, v / 0.35F + offset_[5].y);
    // Clumps are plateaus with narrow pale clefts between them.
    const float clump = 2 * smoothstep(-0.75F, 0.15F, wave) - 1.35F;
    const float texture = (1 - a_.clumping) * wave + a_.clumping * clump;
    float dense = a_.chromatin * (1 + a_.contrast * (texture + 0.65F * fine));
    dense += a_.rim * smoothstep(-0.55F, -0.15F, d.nucleus) - 0.04F;
    float blue = 0.22F * a_.basophilia;
    for (const Nucleolus& n : a_.nucleoli) {
      const float r = std::hypot(u - n.at.x, v - n.at.y) - n.radius;
      const float inside = smoothstep(0.2F, -0.2F, r);
      dense *= 1 - 0.48F * inside;
      dense += 0.10F * std::exp(-12 * (r - 0.2F) * (r - 0.2F));
      blue += 0.30F * inside;
    }
    if (a_.fold) {
      // A crease that fades in and out: a pale line with a dark bank.
      const float c = std::cos(a_.fold_angle), s = std::sin(a_.fold_angle);
      const float across =
          c * u + s * v + 1.8F * noise_(u / 4 + offset_[3].y, v / 4 + offset_[3].x);
      const float here =
          smoothstep(-0.3F, 0.5F, noise_(u / 3 + offset_[2].y, v / 3 + offset_[2].x));
      const float bank = across - 0.6F;
      dense *=
          1 + here * (0.22F * std::exp(-3 * bank * bank) - 0.26F * std::exp(-9 * across * across));
    }
    Amounts m{};
    of(m, Pigment::chromatin) = std::max(dense, 0.1F);
    of(m, Pigment::basophilia) = blue;
    return canvas_.density(m);
  }

  // A random place in the cytoplasm, or, with probability `over`, on the nucleus.
  bool place(Rng& rng, float margin, float over, Point& p) const {
    const float reach = a_.cell.extent();
    for (int attempt = 0; attempt < 8; ++attempt) {
      p = {static_cast<float>(rng.uniform(-reach, reach)),
           static_cast<float>(rng.uniform(-reach, reach))};
      const Distances d = distances(p.x, p.y);
      if (d.cell > -margin) continue;
      if (d.nucleus > 0.5F * margin) return true;
      // Falls on the nucleus: drawn there or nowhere, so that the density stays per area.
      return rng.chance(over);
    }
    return false;
  }

  Canvas& canvas_;
  const Anatomy& a_;
  float x_, y_;
  Noise noise_;
  Point offset_[6];
};

float area_of(const Shape& shape) {
  constexpr float step = 0.5F;
  const float reach = shape.extent();
  float area = 0;
  for (float y = -reach; y <= reach; y += step)
    for (float x = -reach; x <= reach; x += step)
      area += shape.distance(x, y) < 0 ? step * step : 0;
  return area;
}

}  // namespace

void draw_leukocyte(Canvas& canvas, const Anatomy& anatomy, float x, float y, Rng& rng, Image* mask,
                    std::vector<uint16_t>* instance, uint16_t id) {
  Painter painter(canvas, anatomy, x, y, rng);
  painter.body(mask, instance, id);
  if (!anatomy.granules.empty()) {
    const float area = area_of(anatomy.cell);
    for (const Granules& kind : anatomy.granules) painter.granules(kind, area, rng);
  }
  painter.vacuoles(rng);
}

}  // namespace cytograd::synth
