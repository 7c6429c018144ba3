#include "cytograd/data/transform.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/colour.h"
#include "data/resample.h"

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

Augmentation Augmentation::named(const std::string& name) {
  if (name == "none") return none();
  if (name == "light") return light();
  if (name == "full") return full();
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = "--augment",
                     .found = "\"" + name + "\"",
                     .expected = "none, light or full",
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
    const int64_t from = resample::reflect(region.y + y, image.height);
    for (int64_t x = 0; x < region.width; ++x) {
      const uint8_t* p = image.at(from, resample::reflect(region.x + x, image.width));
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

// How output pixels walk over the square of prepared planes: flips and quarter turns cost nothing.
struct Walk {
  int64_t start = 0, down, right;
  Walk(int64_t size, bool mirror_x, bool mirror_y, int64_t turns) {
    // Position (y, x) of the output, through the inverse of each change, last one first.
    const auto at = [&](int64_t y, int64_t x) {
      for (int64_t t = 0; t < turns; ++t) {
        const int64_t old = y;
        y = x;
        x = size - 1 - old;
      }
      if (mirror_y) y = size - 1 - y;
      if (mirror_x) x = size - 1 - x;
      return y * size + x;
    };
    start = at(0, 0);
    down = size > 1 ? at(1, 0) - start : 0;
    right = size > 1 ? at(0, 1) - start : 0;
  }
};

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

void change_colours(Planes& p, const Augmentation& a, Rng& rng) {
  const auto factor = [&](double v) { return static_cast<float>(rng.uniform(1 - v, 1 + v)); };
  if (a.stain > 0 || a.stain_bias > 0) {
    std::array<float, 3> scale{}, bias{};
    for (size_t i = 0; i < 3; ++i) {
      scale[i] = factor(a.stain);
      bias[i] = static_cast<float>(rng.uniform(-a.stain_bias, a.stain_bias));
    }
    colour::stain(p, scale, bias);
  }
  std::vector<int> order = {0, 1, 2, 3};
  if (a.brightness > 0 || a.contrast > 0 || a.saturation > 0 || a.hue > 0) rng.shuffle(order);
  for (const int what : order) {
    if (what == 0 && a.brightness > 0) colour::brightness(p, factor(a.brightness));
    if (what == 1 && a.contrast > 0) colour::contrast(p, factor(a.contrast));
    if (what == 2 && a.saturation > 0) colour::saturation(p, factor(a.saturation));
    if (what == 3 && a.hue > 0) colour::hue(p, static_cast<float>(rng.uniform(-a.hue, a.hue)));
  }
  if (a.gray > 0 && rng.chance(a.gray)) colour::gray(p);
  if (a.blur > 0 && rng.chance(a.blur))
    colour::blur(p, static_cast<float>(rng.uniform(0.1, std::max(0.1, a.blur_sigma))));
}

// The prepared square, and how to walk over it.
Walk fill_planes(const Image& image, const Sample& sample, const Preprocess& preprocess,
                 const Augmentation& a, Rng& rng, Planes& planes) {
  check<ValueError>(preprocess.size > 0, "prepare", "expected a positive size, got ",
                    preprocess.size);
  check<ValueError>(image.channels == 1 || image.channels == 3, "prepare",
                    "expected 1 or 3 channels, got ", image.channels);
  const int64_t size = preprocess.size;
  const Region whole = source_region(image.height, image.width, sample, preprocess);
  const Region part = random_part(whole, a, rng);
  const double radians =
      a.rotate > 0 ? rng.uniform(-a.rotate, a.rotate) * std::numbers::pi / 180 : 0;
  if (radians != 0) {
    // A turned square needs this much more on each side; the image is continued by reflection.
    const double reach = std::abs(std::cos(radians)) + std::abs(std::sin(radians));
    const int64_t wide = static_cast<int64_t>(std::ceil(static_cast<double>(size) * reach)) + 1;
    const double ratio = static_cast<double>(wide) / static_cast<double>(size);
    const int64_t h = std::llround(static_cast<double>(part.height) * ratio);
    const int64_t w = std::llround(static_cast<double>(part.width) * ratio);
    thread_local Planes before;
    resample::resize_region(image,
                            {part.y - (h - part.height) / 2, part.x - (w - part.width) / 2, h, w},
                            wide, wide, before);
    planes.height = planes.width = size;
    planes.values.resize(static_cast<size_t>(3 * size * size));
    resample::rotate_into(before, radians, planes);
  } else {
    resample::resize_region(image, part, size, size, planes);
  }
  change_colours(planes, a, rng);
  const bool mirror_x = a.flip_horizontal > 0 && rng.chance(a.flip_horizontal);
  const bool mirror_y = a.flip_vertical > 0 && rng.chance(a.flip_vertical);
  return Walk(size, mirror_x, mirror_y, a.rotate_90 ? rng.below(4) : 0);
}

Planes& thread_planes() {
  thread_local Planes planes;
  return planes;
}

}  // namespace

void prepare(const Image& image, const Sample& sample, const Preprocess& preprocess,
             const Augmentation& augmentation, Rng rng, float* out) {
  Planes& planes = thread_planes();
  const Walk walk = fill_planes(image, sample, preprocess, augmentation, rng, planes);
  std::array<float, 3> scale{}, shift{};
  for (size_t c = 0; c < 3; ++c) {
    scale[c] = 1 / (255 * preprocess.std[c]);
    shift[c] = -preprocess.mean[c] / preprocess.std[c];
  }
  const float *r = planes.plane(0), *g = planes.plane(1), *b = planes.plane(2);
  for (int64_t y = 0; y < preprocess.size; ++y) {
    int64_t at = walk.start + y * walk.down;
    for (int64_t x = 0; x < preprocess.size; ++x, at += walk.right, out += 3) {
      out[0] = r[at] * scale[0] + shift[0];
      out[1] = g[at] * scale[1] + shift[1];
      out[2] = b[at] * scale[2] + shift[2];
    }
  }
}

Image preview(const Image& image, const Sample& sample, const Preprocess& preprocess,
              const Augmentation& augmentation, Rng rng) {
  Planes& planes = thread_planes();
  const Walk walk = fill_planes(image, sample, preprocess, augmentation, rng, planes);
  Image out(preprocess.size, preprocess.size, 3);
  for (int64_t y = 0; y < out.height; ++y)
    for (int64_t x = 0; x < out.width; ++x)
      for (int c = 0; c < 3; ++c)
        out.at(y, x)[c] = static_cast<uint8_t>(std::clamp(
            planes.plane(c)[walk.start + y * walk.down + x * walk.right] + 0.5f, 0.0f, 255.0f));
  return out;
}

}  // namespace cytograd
