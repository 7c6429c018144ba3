#include "cytograd/data/transform.h"

#include <algorithm>
#include <cmath>

#include "data/change.h"
#include "data/resample.h"
#include "kernels/pixel.h"

namespace cytograd {

using resample::Planes;

Augmentation Augmentation::light() {
  Augmentation a;
  a.flip_horizontal = a.flip_vertical = 0.5;
  a.rotate_90 = true;
  a.area_min = 0.8;
  a.aspect_max = 1.1;
  a.brightness = a.contrast = 0.1;
  return a;
}

Augmentation Augmentation::full() {
  Augmentation a = light();
  a.rotate = 45;
  a.area_min = 0.6;
  a.aspect_max = 1.2;
  a.brightness = a.contrast = a.saturation = 0.2;
  a.hue = 0.03;
  a.stain = 0.15;
  a.stain_bias = 0.03;
  a.blur = 0.2;
  a.blur_sigma = 1.0;
  return a;
}

Augmentation Augmentation::domains() {
  Augmentation a;
  a.flip_horizontal = 0.5;
  a.area_min = 0.7;
  a.aspect_max = 4.0 / 3;
  a.brightness = a.contrast = a.saturation = 0.3;
  a.hue = 0.3;
  a.gray = 0.1;
  return a;
}

Augmentation Augmentation::views() {
  Augmentation a;
  a.flip_horizontal = a.flip_vertical = 0.5;
  a.rotate_90 = true;
  a.area_min = 0.2;
  a.aspect_max = 4.0 / 3;
  a.brightness = a.contrast = a.saturation = 0.4;
  a.hue = 0.1;
  a.stain = 0.15;
  a.stain_bias = 0.03;
  a.blur = 0.5;
  a.blur_sigma = 1.5;
  a.gray = 0.2;
  return a;
}

Augmentation Augmentation::named(const std::string& name) {
  if (name == "none") return none();
  if (name == "light") return light();
  if (name == "full") return full();
  if (name == "domains") return domains();
  if (name == "views") return views();
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = "--augment",
                     .found = "\"" + name + "\"",
                     .expected = "none, light, full, domains or views",
                     .hint = {}});
}

namespace {

// A square (or, where only one side fits, a rectangle grown by reflection) around a box, moved
// inside the image.
Region around_box(int64_t height, int64_t width, const Box& box, double margin) {
  const double side = std::max(box.width(), box.height()) * (1 + 2 * margin);
  Region r;
  r.height = r.width = std::max<int64_t>(1, std::llround(side));
  const auto place = [](double centre, int64_t n, int64_t limit) {
    const int64_t at = std::llround(centre - static_cast<double>(n) / 2);
    if (n >= limit) return (limit - n) / 2;
    return std::clamp<int64_t>(at, 0, limit - n);
  };
  r.y = place((box.y1 + box.y2) / 2, r.height, height);
  r.x = place((box.x1 + box.x2) / 2, r.width, width);
  return r;
}

Region centred(int64_t height, int64_t width, int64_t h, int64_t w) {
  const auto start = [](int64_t n, int64_t part) {
    return n >= part ? (n - part) / 2 : -((part - n) / 2);
  };
  return {start(height, h), start(width, w), h, w};
}

}  // namespace

Region source_region(int64_t height, int64_t width, const Sample& sample,
                     const Preprocess& preprocess) {
  check<ValueError>(height > 0 && width > 0, "source_region", "expected a non-empty image, got ",
                    width, "x", height);
  if (preprocess.field_um > 0) {
    if (!sample.microns_per_pixel)
      throw DataError({"data.resolution", sample.path, "", "no pixel size",
                       "microns_per_pixel for a field of " + std::to_string(preprocess.field_um) +
                           " micrometres",
                       "add the column, or train without a common field"});
    const int64_t side =
        std::max<int64_t>(1, std::llround(preprocess.field_um / *sample.microns_per_pixel));
    if (!sample.box) return centred(height, width, side, side);
    const Box& b = *sample.box;
    const int64_t y = std::llround((b.y1 + b.y2) / 2) - side / 2;
    const int64_t x = std::llround((b.x1 + b.x2) / 2) - side / 2;
    return {y, x, side, side};
  }
  if (sample.box) return around_box(height, width, *sample.box, preprocess.box_margin);
  if (preprocess.fit == Fit::stretch) return {0, 0, height, width};
  const int64_t side =
      preprocess.fit == Fit::crop ? std::min(height, width) : std::max(height, width);
  return centred(height, width, side, side);
}

Image crop(const Image& image, const Region& region) {
  check<ValueError>(region.height > 0 && region.width > 0, "crop", "expected a positive size, got ",
                    region.width, "x", region.height);
  Image out(region.height, region.width, image.channels);
  for (int64_t y = 0; y < region.height; ++y) {
    const int64_t from = pixel::reflect(region.y + y, image.height);
    for (int64_t x = 0; x < region.width; ++x) {
      const uint8_t* p = image.at(from, pixel::reflect(region.x + x, image.width));
      std::copy(p, p + image.channels, out.at(y, x));
    }
  }
  return out;
}

Image resize(const Image& image, int64_t height, int64_t width) {
  check<ValueError>(height > 0 && width > 0, "resize", "expected a positive size, got ", width, "x",
                    height);
  check<ValueError>(image.channels == 1 || image.channels == 3, "resize",
                    "expected 1 or 3 channels, got ", image.channels);
  Planes planes;
  resample::resize_region(image, {0, 0, image.height, image.width}, height, width, planes);
  Image out(height, width, image.channels);
  for (int64_t i = 0; i < height * width; ++i)
    for (int64_t c = 0; c < image.channels; ++c)
      out.pixels[static_cast<size_t>(i * image.channels + c)] = static_cast<uint8_t>(
          std::clamp(planes.plane(static_cast<int>(c))[i] + 0.5f, 0.0f, 255.0f));
  return out;
}

namespace {

// out(y, x) = in(source(y, x))
template <class Source>
Image remap(const Image& image, int64_t height, int64_t width, Source&& source) {
  Image out(height, width, image.channels);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const auto [sy, sx] = source(y, x);
      const uint8_t* p = image.at(sy, sx);
      std::copy(p, p + image.channels, out.at(y, x));
    }
  return out;
}

}  // namespace

Image flip_horizontal(const Image& image) {
  return remap(image, image.height, image.width,
               [&](int64_t y, int64_t x) { return std::pair(y, image.width - 1 - x); });
}

Image flip_vertical(const Image& image) {
  return remap(image, image.height, image.width,
               [&](int64_t y, int64_t x) { return std::pair(image.height - 1 - y, x); });
}

Image rotate_90(const Image& image, int64_t turns) {
  const int64_t h = image.height, w = image.width;
  switch (((turns % 4) + 4) % 4) {
    case 1:
      return remap(image, w, h, [&](int64_t y, int64_t x) { return std::pair(x, w - 1 - y); });
    case 2:
      return remap(image, h, w,
                   [&](int64_t y, int64_t x) { return std::pair(h - 1 - y, w - 1 - x); });
    case 3:
      return remap(image, w, h, [&](int64_t y, int64_t x) { return std::pair(h - 1 - x, y); });
    default:
      return image;
  }
}

namespace {

Planes& thread_planes() {
  thread_local Planes planes;
  return planes;
}

}  // namespace

void prepare(const Image& image, const Sample& sample, const Preprocess& preprocess,
             const Augmentation& augmentation, Rng rng, float* out) {
  const PlannedChange plan = plan_change(image, sample, preprocess, augmentation, rng);
  Planes& planes = thread_planes();
  make_planes(image, plan.region, plan.change, preprocess.size, planes);
  const kernels::AugmentSizes sizes = augment_sizes(preprocess);
  write_normalised(planes, plan.change, sizes.scale, sizes.shift, out);
}

Image preview(const Image& image, const Sample& sample, const Preprocess& preprocess,
              const Augmentation& augmentation, Rng rng) {
  const PlannedChange plan = plan_change(image, sample, preprocess, augmentation, rng);
  Planes& planes = thread_planes();
  make_planes(image, plan.region, plan.change, preprocess.size, planes);
  Image out(preprocess.size, preprocess.size, 3);
  const kernels::ImageChange& walk = plan.change;
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int c = 0; c < 3; ++c)
        out.at(y, x)[c] = static_cast<uint8_t>(std::clamp(
            planes.plane(c)[walk.start + y * walk.down + x * walk.right] + 0.5f, 0.0f, 255.0f));
  return out;
}

}  // namespace cytograd
