#include "data/change.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cytograd/core/error.h"
#include "data/colour.h"
#include "kernels/pixel.h"

namespace cytograd {
namespace {

using kernels::ImageChange;
using resample::Planes;

// Random part of the region: area and aspect as in "Going deeper with convolutions" (Szegedy et
// al. 2015), ten tries, then the whole region.
Region random_part(const Region& whole, const Augmentation& a, Rng& rng) {
  if (a.area_min >= 1 && a.area_max <= 1 && a.aspect_max <= 1) return whole;
  const double area = static_cast<double>(whole.height * whole.width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double part = area * rng.uniform(a.area_min, a.area_max);
    const double aspect = std::exp(rng.uniform(-1, 1) * std::log(std::max(a.aspect_max, 1.0)));
    const int64_t w = std::llround(std::sqrt(part * aspect));
    const int64_t h = std::llround(std::sqrt(part / aspect));
    if (w < 1 || h < 1 || w > whole.width || h > whole.height) continue;
    const int64_t y = whole.y + rng.below(whole.height - h + 1);
    const int64_t x = whole.x + rng.below(whole.width - w + 1);
    return {y, x, h, w};
  }
  return whole;
}

// How output pixels walk over the square: flips and quarter turns cost nothing.
void plan_walk(int64_t size, bool mirror_x, bool mirror_y, int64_t turns, ImageChange& out) {
  // Position (y, x) of the output, through the inverse of each change, last one first.
  const auto at = [&](int64_t y, int64_t x) {
    for (int64_t t = 0; t < turns; ++t) {
      const int64_t old = y;
      y = x;
      x = size - 1 - old;
    }
    if (mirror_y) y = size - 1 - y;
    if (mirror_x) x = size - 1 - x;
    return static_cast<int32_t>(y * size + x);
  };
  out.start = at(0, 0);
  out.down = size > 1 ? at(1, 0) - out.start : 0;
  out.right = size > 1 ? at(0, 1) - out.start : 0;
}

}  // namespace

void plan_colours(const Augmentation& a, Rng& rng, kernels::ImageChange& out) {
  const auto factor = [&](double v) { return static_cast<float>(rng.uniform(1 - v, 1 + v)); };
  if (a.stain > 0 || a.stain_bias > 0) {
    std::array<float, 3> scale{}, bias{};
    for (size_t i = 0; i < 3; ++i) {
      scale[i] = factor(a.stain);
      bias[i] = static_cast<float>(rng.uniform(-a.stain_bias, a.stain_bias));
    }
    out.stained = 1;
    colour::stain_matrix(scale, bias, out.stain, out.stain_offset);
  }
  std::vector<int> order = {0, 1, 2, 3};
  if (a.brightness > 0 || a.contrast > 0 || a.saturation > 0 || a.hue > 0) rng.shuffle(order);
  int n = 0;
  const auto add = [&](ImageChange::Step step, float amount) {
    out.steps[n] = step;
    out.amounts[n++] = amount;
  };
  for (const int what : order) {
    if (what == 0 && a.brightness > 0) add(ImageChange::brightness, factor(a.brightness));
    if (what == 1 && a.contrast > 0) add(ImageChange::contrast, factor(a.contrast));
    if (what == 2 && a.saturation > 0) add(ImageChange::saturation, factor(a.saturation));
    if (what == 3 && a.hue > 0)
      add(ImageChange::hue, static_cast<float>(rng.uniform(-a.hue, a.hue)));
  }
  out.gray = a.gray > 0 && rng.chance(a.gray);
  if (a.blur > 0 && rng.chance(a.blur))
    out.blur_radius = colour::blur_weights(
        static_cast<float>(rng.uniform(0.1, std::max(0.1, a.blur_sigma))), out.blur);
}

namespace {

// What the region shows is measured before anything random, so that a cell always looks the same.
void plan_stain(const Image& image, const Region& whole, const Preprocess& preprocess,
                ImageChange& out) {
  if (preprocess.stain == StainMethod::none) return;
  const StainChange change =
      stain_change(measure_stain(image, whole), preprocess.stain_target, preprocess.stain);
  if (change.method == StainMethod::none) return;
  out.normal = change.method == StainMethod::macenko ? ImageChange::densities : ImageChange::cones;
  std::copy(change.matrix.begin(), change.matrix.end(), out.normal_matrix);
  std::copy(change.offset.begin(), change.offset.end(), out.normal_offset);
}

}  // namespace

void change_colours(const kernels::ImageChange& c, resample::Planes& p) {
  if (c.normal == ImageChange::densities) colour::stain(p, c.normal_matrix, c.normal_offset);
  if (c.normal == ImageChange::cones) colour::cones(p, c.normal_matrix, c.normal_offset);
  if (c.stained) colour::stain(p, c.stain, c.stain_offset);
  for (int i = 0; i < 4; ++i) {
    if (c.steps[i] == ImageChange::brightness) colour::brightness(p, c.amounts[i]);
    if (c.steps[i] == ImageChange::contrast) colour::contrast(p, c.amounts[i]);
    if (c.steps[i] == ImageChange::saturation) colour::saturation(p, c.amounts[i]);
    if (c.steps[i] == ImageChange::hue) colour::hue(p, c.amounts[i]);
  }
  if (c.gray) colour::gray(p);
  if (c.blur_radius > 0) colour::blur(p, c.blur, c.blur_radius);
}

PlannedChange plan_change(const Image& image, const Sample& sample, const Preprocess& preprocess,
                          const Augmentation& a, Rng& rng) {
  const int64_t channels = image.channels;
  check<ValueError>(preprocess.size > 0, "prepare", "expected a positive size, got ",
                    preprocess.size);
  check<ValueError>(channels == 1 || channels == 3, "prepare", "expected 1 or 3 channels, got ",
                    channels);
  check<ValueError>(a.blur_sigma <= 5, "prepare", "expected a blur_sigma of at most 5, got ",
                    a.blur_sigma);
  const int64_t size = preprocess.size;
  PlannedChange out;
  ImageChange& change = out.change;
  const Region whole = source_region(image.height, image.width, sample, preprocess);
  const Region part = random_part(whole, a, rng);
  const double radians =
      a.rotate > 0 ? rng.uniform(-a.rotate, a.rotate) * std::numbers::pi / 180 : 0;
  out.region = part;
  change.wide = static_cast<int32_t>(size);
  if (radians != 0) {
    // A turned square needs this much more on each side; the image is continued by reflection.
    change.turned = 1;
    change.cosine = std::cos(radians);
    change.sine = std::sin(radians);
    const double reach = std::abs(change.cosine) + std::abs(change.sine);
    change.wide = static_cast<int32_t>(std::ceil(static_cast<double>(size) * reach)) + 1;
    const double ratio = static_cast<double>(change.wide) / static_cast<double>(size);
    const int64_t h = std::llround(static_cast<double>(part.height) * ratio);
    const int64_t w = std::llround(static_cast<double>(part.width) * ratio);
    out.region = {part.y - (h - part.height) / 2, part.x - (w - part.width) / 2, h, w};
  }
  change.height = static_cast<int32_t>(out.region.height);
  change.width = static_cast<int32_t>(out.region.width);
  change.channels = static_cast<int32_t>(channels);
  plan_stain(image, whole, preprocess, change);
  plan_colours(a, rng, change);
  const bool mirror_x = a.flip_horizontal > 0 && rng.chance(a.flip_horizontal);
  const bool mirror_y = a.flip_vertical > 0 && rng.chance(a.flip_vertical);
  plan_walk(size, mirror_x, mirror_y, a.rotate_90 ? rng.below(4) : 0, change);
  return out;
}

kernels::AugmentSizes augment_sizes(const Preprocess& preprocess) {
  kernels::AugmentSizes out{};
  out.size = out.widest = static_cast<int32_t>(preprocess.size);
  for (size_t c = 0; c < 3; ++c) {
    out.scale[c] = 1 / (255 * preprocess.std[c]);
    out.shift[c] = -preprocess.mean[c] / preprocess.std[c];
  }
  return out;
}

void make_planes(const Image& image, const Region& region, const ImageChange& change, int64_t size,
                 Planes& out) {
  if (change.turned) {
    thread_local Planes before;
    resample::resize_region(image, region, change.wide, change.wide, before);
    out.height = out.width = size;
    out.values.resize(static_cast<size_t>(3 * size * size));
    resample::rotate_into(before, change.cosine, change.sine, out);
  } else {
    resample::resize_region(image, region, size, size, out);
  }
  change_colours(change, out);
}

void write_normalised(const Planes& planes, const ImageChange& change, const float* scale,
                      const float* shift, float* out) {
  const float *r = planes.plane(0), *g = planes.plane(1), *b = planes.plane(2);
  for (int64_t y = 0; y < planes.height; ++y) {
    int64_t at = change.start + y * change.down;
    for (int64_t x = 0; x < planes.width; ++x, at += change.right, out += 3) {
      out[0] = r[at] * scale[0] + shift[0];
      out[1] = g[at] * scale[1] + shift[1];
      out[2] = b[at] * scale[2] + shift[2];
    }
  }
}

}  // namespace cytograd
