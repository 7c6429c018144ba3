#pragma once

#include <array>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/io/image.h"
#include "cytograd/synth/stains.h"
#include "synth/noise.h"

namespace cytograd::synth {

/// Amount of each pigment at a point.
using Amounts = std::array<float, pigment_count>;
inline float& of(Amounts& amounts, Pigment pigment) {
  return amounts[static_cast<size_t>(pigment)];
}

/// The optical density of a field of view, drawn on in micrometres and developed into pixels.
class Canvas {
 public:
  /// Draws this image's own dye strengths around those of `stain`.
  Canvas(int64_t height, int64_t width, float microns_per_pixel, const Stain& stain, Rng& rng);

  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  float microns() const { return microns_; }
  float width_um() const { return microns_ * static_cast<float>(width_); }
  float height_um() const { return microns_ * static_cast<float>(height_); }

  /// Optical density of a mixture.
  Rgb density(const Amounts& amounts) const;
  Rgb density(Pigment pigment, float amount) const;
  Rgb& at(int64_t y, int64_t x) { return density_[static_cast<size_t>(y * width_ + x)]; }

  /// Calls f(y, x, um_x, um_y) for every pixel of the square of half width `reach` around
  /// (center_x, center_y); um_* are relative to the centre.
  template <class F>
  void each_pixel(float center_x, float center_y, float reach, F&& f) const {
    const auto first = [&](float c) {
      return static_cast<int64_t>(std::floor((c - reach) / microns_));
    };
    const auto last = [&](float c) {
      return static_cast<int64_t>(std::ceil((c + reach) / microns_));
    };
    const int64_t y1 = std::min(height_, last(center_y) + 1),
                  x1 = std::min(width_, last(center_x) + 1);
    for (int64_t y = std::max<int64_t>(first(center_y), 0); y < y1; ++y) {
      const float v = (static_cast<float>(y) + 0.5F) * microns_ - center_y;
      for (int64_t x = std::max<int64_t>(first(center_x), 0); x < x1; ++x)
        f(y, x, (static_cast<float>(x) + 0.5F) * microns_ - center_x, v);
    }
  }

  /// How much of a pixel an outline at this signed distance covers, 0..1.
  float coverage(float distance) const {
    return smoothstep(0.75F * microns_, -0.75F * microns_, distance);
  }

  /// Replaces what is there by `color`, as far as `share` says.
  static void cover(Rgb& there, const Rgb& color, float share) {
    for (size_t c = 0; c < 3; ++c) there[c] += share * (color[c] - there[c]);
  }

  /// A soft-edged disc.
  void disc(float x, float y, float radius, const Rgb& color, float share);

  /// Lets light through: blur, illumination, sensor noise.
  Image develop(Rng& rng) const;

 private:
  int64_t height_, width_;
  float microns_;
  const Stain& stain_;
  std::array<Rgb, pigment_count> absorbance_;
  std::vector<Rgb> density_;
};

}  // namespace cytograd::synth
