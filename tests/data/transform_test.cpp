#include "cytograd/data/transform.h"

#include <cmath>

#include "data/colour.h"
#include "data/resample.h"
#include "data/support.h"

using namespace cytograd;

namespace {

Image noise(int64_t height, int64_t width, uint64_t seed = 1) {
  Image image(height, width, 3);
  Rng rng(seed, "noise");
  for (uint8_t& p : image.pixels) p = static_cast<uint8_t>(rng.below(256));
  return image;
}

resample::Planes planes_of(const Image& image) {
  resample::Planes p;
  resample::resize_region(image, {0, 0, image.height, image.width}, image.height, image.width, p);
  return p;
}

std::vector<float> run(const Image& image, const Preprocess& pre, const Augmentation& a, Rng rng) {
  std::vector<float> out(static_cast<size_t>(pre.size * pre.size * 3));
  prepare(image, {}, pre, a, rng, out.data());
  return out;
}

void stain(resample::Planes& p, const std::array<float, 3>& scale) {
  float matrix[9], offset[3];
  colour::stain_matrix(scale, {0, 0, 0}, matrix, offset);
  colour::stain(p, matrix, offset);
}

}  // namespace

// Domain generalization oracle P1.
TEST_CASE("resize is bilinear with antialiasing") {
  Image line(1, 5, 1);
  line.pixels = {0, 10, 20, 40, 80};
  resample::Planes p;
  resample::resize_region(line, {0, 0, 1, 5}, 1, 3, p);
  CHECK(p.values[0] == doctest::Approx(4.285714));
  CHECK(p.values[1] == doctest::Approx(22.222222));
  CHECK(p.values[2] == doctest::Approx(62.857143));
  CHECK(resize(line, 1, 3).pixels == std::vector<uint8_t>{4, 22, 63});
}

TEST_CASE("resize keeps constants, identity and means") {
  const Image flat(37, 53, 3, 91);
  for (const int64_t size : {1, 7, 36, 37, 53, 120}) {
    const Image out = resize(flat, size, size + 3);
    for (const uint8_t v : out.pixels) REQUIRE(v == 91);
  }
  const Image image = noise(23, 31);
  CHECK(resize(image, 23, 31) == image);
  // Doubling by bilinear interpolation: inner points lie 1/4 and 3/4 between neighbours.
  Image two(1, 2, 1);
  two.pixels = {0, 100};
  CHECK(resize(two, 1, 4).pixels == std::vector<uint8_t>{0, 25, 75, 100});
}

TEST_CASE("flips and quarter turns") {
  const Image image = noise(3, 5);
  CHECK(flip_horizontal(flip_horizontal(image)) == image);
  CHECK(flip_vertical(flip_vertical(image)) == image);
  Image turned = image;
  for (int i = 0; i < 4; ++i) turned = rotate_90(turned, 1);
  CHECK(turned == image);
  CHECK(rotate_90(image, 2) == flip_vertical(flip_horizontal(image)));
  CHECK(rotate_90(image, -1) == rotate_90(image, 3));
  const Image once = rotate_90(image, 1);  // counter-clockwise: the right column becomes the top
  CHECK(once.height == 5);
  for (int c = 0; c < 3; ++c) {
    CHECK(once.at(0, 0)[c] == image.at(0, 4)[c]);
    CHECK(once.at(4, 2)[c] == image.at(2, 0)[c]);
  }
}

TEST_CASE("crop continues by reflection") {
  Image line(1, 3, 1);
  line.pixels = {1, 2, 3};
  CHECK(crop(line, {0, -4, 1, 10}).pixels == std::vector<uint8_t>{3, 3, 2, 1, 1, 2, 3, 3, 2, 1});
}

TEST_CASE("normalisation: byte values of the channel check") {
  Preprocess pre;
  pre.size = 2;
  const auto expect = [&](int value, float r, float g, float b) {
    const auto out = run(Image(5, 5, 3, static_cast<uint8_t>(value)), pre, {}, Rng(1));
    CHECK(out[0] == doctest::Approx(r).epsilon(1e-5));
    CHECK(out[1] == doctest::Approx(g).epsilon(1e-5));
    CHECK(out[2] == doctest::Approx(b).epsilon(1e-5));
  };
  expect(128, 0.074065f, 0.205182f, 0.426492f);
  expect(255, 2.248908f, 2.428571f, 2.640000f);
  expect(0, -2.117904f, -2.035714f, -1.804444f);
}

TEST_CASE("source region: field of view, boxes, fits") {
  Preprocess pre;
  pre.field_um = 25;
  Sample s;
  s.microns_per_pixel = 29.0 / 400;
  CHECK((source_region(400, 400, s, pre) == Region{27, 27, 345, 345}));
  s.microns_per_pixel = 0.1;
  CHECK((source_region(363, 360, s, pre) == Region{56, 55, 250, 250}));
  s.microns_per_pixel = 25.0 / 288;
  CHECK((source_region(288, 288, s, pre) == Region{0, 0, 288, 288}));
  s.microns_per_pixel.reset();
  CHECK_THROWS_WITH_AS(source_region(10, 10, s, pre), doctest::Contains("data.resolution"),
                       DataError);
  pre.field_um = 0;
  CHECK((source_region(363, 360, s, pre) == Region{0, -1, 363, 363}));
  pre.fit = Fit::crop;
  CHECK((source_region(363, 360, s, pre) == Region{1, 0, 360, 360}));
  pre.fit = Fit::stretch;
  CHECK((source_region(363, 360, s, pre) == Region{0, 0, 363, 360}));
  s.box = Box{100, 50, 200, 110};
  CHECK((source_region(480, 640, s, pre) == Region{20, 90, 120, 120}));
  s.box = Box{600, 0, 640, 40};  // moved inside
  CHECK((source_region(480, 640, s, pre) == Region{0, 592, 48, 48}));
  s.box = Box{0, 0, 640, 480};  // larger than the image: grown by reflection
  CHECK((source_region(480, 640, s, pre) == Region{-144, -64, 768, 768}));
}

TEST_CASE("the same stream gives the same image, another one another") {
  const Image image = noise(40, 50);
  Preprocess pre;
  pre.size = 24;
  const Augmentation a = Augmentation::full();
  CHECK(run(image, pre, a, Rng(1, "augment", 2, 3)) == run(image, pre, a, Rng(1, "augment", 2, 3)));
  CHECK(run(image, pre, a, Rng(1, "augment", 2, 3)) != run(image, pre, a, Rng(1, "augment", 2, 4)));
  CHECK(run(image, pre, {}, Rng(1)) == run(image, pre, {}, Rng(2)));
  for (uint64_t i = 0; i < 50; ++i)
    for (const float v : run(image, pre, a, Rng(i))) REQUIRE(std::abs(v) < 3);
}

TEST_CASE("flips and turns of the prepared image are those of the image") {
  const Image image = noise(24, 24);
  Preprocess pre;
  pre.size = 24;
  Augmentation a;
  a.flip_horizontal = a.flip_vertical = 0.5;
  a.rotate_90 = true;
  int same = 0;
  for (uint64_t i = 0; i < 40; ++i) {
    const Image out = preview(image, {}, pre, a, Rng(i));
    int found = 0;
    for (int64_t t = 0; t < 4; ++t)
      found += out == rotate_90(image, t) || out == rotate_90(flip_horizontal(image), t);
    CHECK(found == 1);
    same += out == image;
  }
  CHECK(same > 0);
  CHECK(same < 20);
}

TEST_CASE("free rotation by half a turn is exact, continuous elsewhere") {
  const Image image = noise(25, 25);
  const resample::Planes in = planes_of(image);
  resample::Planes out(25, 25);
  resample::rotate_into(in, -1, std::sin(std::acos(-1.0)), out);
  const Image half = rotate_90(image, 2);
  for (int64_t i = 0; i < 25 * 25; ++i)
    CHECK(out.plane(1)[i] == doctest::Approx(half.pixels[static_cast<size_t>(i * 3 + 1)]));
}

TEST_CASE("colour changes: identities and references") {
  const Image image = noise(9, 11);
  const resample::Planes start = planes_of(image);
  const auto near = [&](const resample::Planes& p, double tolerance) {
    double worst = 0;
    for (size_t i = 0; i < p.values.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(p.values[i] - start.values[i])));
    return worst <= tolerance;
  };
  resample::Planes p = start;
  colour::hue(p, 0);
  CHECK(near(p, 1e-3));
  colour::hue(p, 0.25f);
  CHECK(!near(p, 5));
  colour::hue(p, -0.25f);
  CHECK(near(p, 1e-2));
  p = start;
  stain(p, {1, 1, 1});
  CHECK(near(p, 1e-2));
  p = start;
  colour::saturation(p, 1);
  colour::contrast(p, 1);
  colour::brightness(p, 1);
  CHECK(near(p, 1e-3));
  colour::gray(p);
  CHECK(p.values[0] == doctest::Approx(p.plane(2)[0]));
  // A third of a turn takes red to green.
  resample::Planes red(1, 1);
  red.values = {200, 20, 20};
  colour::hue(red, 1.0f / 3);
  CHECK(red.values[0] == doctest::Approx(20).epsilon(1e-3));
  CHECK(red.values[1] == doctest::Approx(200).epsilon(1e-3));
  // White has no stain: scaling leaves it.
  resample::Planes white(1, 1);
  white.values = {255, 255, 255};
  stain(white, {1.5f, 0.5f, 1.2f});
  CHECK(white.values[1] == doctest::Approx(255));
  resample::Planes flat(8, 8);
  std::fill(flat.values.begin(), flat.values.end(), 77.0f);
  float weight[4];
  REQUIRE(colour::blur_weights(0.9f, weight) == 3);
  colour::blur(flat, weight, 3);
  for (const float v : flat.values) CHECK(v == doctest::Approx(77));
}

TEST_CASE("augmentation names") {
  CHECK((Augmentation::named("full") == Augmentation::full()));
  CHECK((Augmentation::named("none") == Augmentation{}));
  CHECK_THROWS_AS(Augmentation::named("fulll"), ConfigError);
}
