#include "synth/canvas.h"

#include <algorithm>
#include <cmath>

namespace cytograd::synth {
namespace {

// Gaussian blur along one axis of interleaved RGB; ends repeat the border pixel.
void blur_lines(const std::vector<Rgb>& from, std::vector<Rgb>& to, int64_t lines, int64_t length,
                int64_t line_step, int64_t step, const std::vector<float>& kernel) {
  const auto reach = static_cast<int64_t>(kernel.size()) - 1;
  for (int64_t line = 0; line < lines; ++line)
    for (int64_t i = 0; i < length; ++i) {
      Rgb sum{};
      for (int64_t k = -reach; k <= reach; ++k) {
        const int64_t j = std::clamp<int64_t>(i + k, 0, length - 1);
        const Rgb& pixel = from[static_cast<size_t>(line * line_step + j * step)];
        const float weight = kernel[static_cast<size_t>(std::abs(k))];
        for (size_t c = 0; c < 3; ++c) sum[c] += weight * pixel[c];
      }
      to[static_cast<size_t>(line * line_step + i * step)] = sum;
    }
}

// Weights at distance 0, 1, ... of a Gaussian with standard deviation `sigma` pixels.
std::vector<float> gaussian(float sigma) {
  const int reach = static_cast<int>(std::ceil(2.5F * sigma));
  std::vector<float> kernel;
  float sum = 0;
  for (int k = 0; k <= reach; ++k) {
    const float z = static_cast<float>(k) / sigma;
    kernel.push_back(std::exp(-0.5F * z * z));
    sum += (k ? 2 : 1) * kernel.back();
  }
  for (float& weight : kernel) weight /= sum;
  return kernel;
}

// Roughly normal with variance 1: the sum of four bytes.
float byte_normal(uint32_t bits) {
  const int sum =
      static_cast<int>((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24));
  return static_cast<float>(sum - 510) * (1.0F / 147.8F);
}

}  // namespace

Canvas::Canvas(int64_t height, int64_t width, float microns_per_pixel, const Stain& stain, Rng& rng)
    : height_(height),
      width_(width),
      microns_(microns_per_pixel),
      stain_(stain),
      absorbance_(stain.absorbance),
      density_(static_cast<size_t>(height * width), Rgb{}) {
  const auto factor = [&](float spread) {
    return std::exp(spread * static_cast<float>(std::clamp(rng.normal(), -2.5, 2.5)));
  };
  const float strength = stain.contrast * factor(stain.variation);
  Rgb tint;
  for (float& t : tint) t = factor(0.5F * stain.variation);
  for (Rgb& row : absorbance_) {
    const float dye = strength * factor(0.6F * stain.variation);
    for (size_t c = 0; c < 3; ++c) row[c] *= dye * tint[c];
  }
}

Rgb Canvas::density(const Amounts& amounts) const {
  Rgb sum{};
  for (size_t p = 0; p < pigment_count; ++p)
    for (size_t c = 0; c < 3; ++c) sum[c] += amounts[p] * absorbance_[p][c];
  return sum;
}

Rgb Canvas::density(Pigment pigment, float amount) const {
  Rgb row = absorbance_[static_cast<size_t>(pigment)];
  for (float& value : row) value *= amount;
  return row;
}

void Canvas::disc(float x, float y, float radius, const Rgb& color, float share) {
  each_pixel(x, y, radius + microns_, [&](int64_t py, int64_t px, float u, float v) {
    const float d = std::sqrt(u * u + v * v);
    const float s = share * coverage(d - radius);
    if (s > 0) cover(at(py, px), color, s);
  });
}

Image Canvas::develop(Rng& rng) const {
  std::vector<Rgb> light(density_.size());
  const float lamp = 1 + 0.02F * static_cast<float>(rng.normal());
  const float tilt_x = stain_.vignette * static_cast<float>(rng.uniform(-0.5, 0.5));
  const float tilt_y = stain_.vignette * static_cast<float>(rng.uniform(-0.5, 0.5));
  const float scale = 2.0F / static_cast<float>(std::max(height_, width_));
  for (int64_t y = 0; y < height_; ++y)
    for (int64_t x = 0; x < width_; ++x) {
      const float u = scale * static_cast<float>(x) - 1, v = scale * static_cast<float>(y) - 1;
      const float shade =
          lamp * (1 - 0.5F * stain_.vignette * (u * u + v * v) + tilt_x * u + tilt_y * v);
      const auto i = static_cast<size_t>(y * width_ + x);
      for (size_t c = 0; c < 3; ++c)
        light[i][c] = shade * stain_.background[c] * std::exp(-density_[i][c]);
    }
  const float defocus = stain_.defocus_um * std::abs(static_cast<float>(rng.normal()));
  const float sigma = (stain_.blur_um + defocus) / microns_;
  if (sigma > 0.15F) {
    const std::vector<float> kernel = gaussian(sigma);
    std::vector<Rgb> half(light.size());
    blur_lines(light, half, height_, width_, width_, 1, kernel);
    blur_lines(half, light, width_, height_, 1, width_, kernel);
  }
  Image image(height_, width_, 3);
  for (size_t i = 0; i < light.size(); ++i)
    for (size_t c = 0; c < 3; ++c) {
      const float value = light[i][c] + stain_.noise * byte_normal(rng.next_u32());
      image.pixels[i * 3 + c] = static_cast<uint8_t>(std::clamp(value * 255 + 0.5F, 0.0F, 255.0F));
    }
  return image;
}

}  // namespace cytograd::synth
