#include <algorithm>
#include <cmath>
#include <numbers>

#include "synth/draw.h"

namespace cytograd::synth {

RedCell make_red_cell(float x, float y, float mean_pallor, Rng& rng) {
  RedCell cell{};
  cell.x = x, cell.y = y;
  cell.radius = 3.6F * (1 + 0.07F * static_cast<float>(std::clamp(rng.normal(), -2.0, 2.0)));
  cell.stretch = static_cast<float>(1 + std::abs(0.09 * rng.normal()));
  cell.angle = static_cast<float>(rng.uniform(0, std::numbers::pi));
  cell.pallor = std::clamp(mean_pallor + 0.18F * static_cast<float>(rng.normal()), 0.05F, 0.95F);
  return cell;
}

void draw_red_cell(Canvas& canvas, const RedCell& cell, const Noise& noise, float noise_at) {
  const float c = std::cos(cell.angle), s = std::sin(cell.angle);
  const float long_radius = cell.radius * cell.stretch, short_radius = cell.radius / cell.stretch;
  const Rgb color = canvas.density(Pigment::hemoglobin, 1);
  canvas.each_pixel(
      cell.x, cell.y, long_radius + 0.6F, [&](int64_t py, int64_t px, float u, float v) {
        const float a = (c * u + s * v) / long_radius, b = (c * v - s * u) / short_radius;
        const float bump = 0.035F * noise(1.1F * a + noise_at, 1.1F * b + noise_at);
        const float rho = std::sqrt(a * a + b * b) + bump;
        const float inside = canvas.coverage((rho - 1) * cell.radius);
        if (inside <= 0) return;
        // A biconcave disc: pale in the middle, thickest at two thirds, thinner again at the edge.
        const float dip = cell.pallor * smoothstep(0.56F, 0.20F, rho + 2 * bump);
        const float thick =
            (0.92F + 0.16F * rho * rho) * (1 - 0.12F * smoothstep(0.9F, 1.0F, rho)) * (1 - dip);
        const float fine = 1 + 0.05F * noise(1.4F * u + noise_at, 1.4F * v);
        for (size_t k = 0; k < 3; ++k) canvas.at(py, px)[k] += inside * thick * fine * color[k];
      });
}

void draw_platelet(Canvas& canvas, float x, float y, float radius, const Noise& noise, Rng& rng) {
  const auto shift = static_cast<float>(rng.uniform(0, 64));
  Amounts pale{};
  of(pale, Pigment::basophilia) = 0.28F;
  of(pale, Pigment::azurophil) = 0.10F;
  const Rgb body = canvas.density(pale), grain = canvas.density(Pigment::azurophil, 0.75F);
  canvas.each_pixel(x, y, 1.5F * radius, [&](int64_t py, int64_t px, float u, float v) {
    const float d = std::sqrt(u * u + v * v) - radius + 0.45F * noise(0.9F * u + shift, 0.9F * v);
    const float inside = canvas.coverage(d);
    if (inside <= 0) return;
    Rgb color = body;
    const float spots = noise.two(2.6F * u + shift, 2.6F * v + shift);
    Canvas::cover(color, grain, smoothstep(-0.15F, 0.5F, spots) * smoothstep(0.0F, -0.5F, d));
    Canvas::cover(canvas.at(py, px), color, 0.9F * inside);
  });
}

void draw_smudge(Canvas& canvas, float x, float y, const Noise& noise, Rng& rng) {
  const auto radius = static_cast<float>(rng.uniform(3, 6)),
             shift = static_cast<float>(rng.uniform(0, 64));
  const Rgb color = canvas.density(Pigment::chromatin, 0.35F);
  canvas.each_pixel(x, y, 1.8F * radius, [&](int64_t py, int64_t px, float u, float v) {
    const float wave = noise.two(0.35F * u + shift, 0.35F * v),
                fine = noise.two(0.9F * u, 0.9F * v + shift);
    const float d = std::sqrt(u * u + v * v) - radius + 0.45F * radius * wave;
    const float share = smoothstep(0.5F, -1.2F, d) * (0.7F + 0.45F * fine);
    for (size_t k = 0; k < 3; ++k) canvas.at(py, px)[k] += std::max(share, 0.0F) * color[k];
  });
}

std::vector<RedCell> scatter_red_cells(const Canvas& canvas, const std::vector<Keep>& keep,
                                       float share, Rng& rng) {
  constexpr float radius = 3.6F, margin = 3.0F;
  const float width = canvas.width_um() + 2 * margin, height = canvas.height_um() + 2 * margin;
  const auto wanted =
      static_cast<size_t>(share * width * height / (std::numbers::pi_v<float> * radius * radius));
  // Some smears have doughnuts, some full discs.
  const auto pallor = static_cast<float>(rng.uniform(0.25, 0.75));
  std::vector<RedCell> cells;
  for (size_t attempt = 0; attempt < 12 * wanted && cells.size() < wanted; ++attempt) {
    const auto x = static_cast<float>(rng.uniform(-margin, width - margin));
    const auto y = static_cast<float>(rng.uniform(-margin, height - margin));
    const RedCell cell = make_red_cell(x, y, pallor, rng);
    const float overlap = rng.chance(0.12) ? 0.62F : 1.0F;
    const auto far = [&](float ox, float oy, float reach) {
      return std::hypot(x - ox, y - oy) > reach;
    };
    const bool free =
        std::all_of(
            cells.begin(), cells.end(),
            [&](const RedCell& o) { return far(o.x, o.y, overlap * (o.radius + cell.radius)); }) &&
        std::all_of(keep.begin(), keep.end(),
                    [&](const Keep& k) { return far(k.x, k.y, k.radius + 0.88F * cell.radius); });
    if (free) cells.push_back(cell);
  }
  return cells;
}

}  // namespace cytograd::synth
