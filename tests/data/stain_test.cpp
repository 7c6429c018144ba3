#include "cytograd/data/stain.h"

#include <algorithm>
#include <cmath>

#include "cytograd/data/transform.h"
#include "data/raw_parts.h"
#include "data/support.h"

using namespace cytograd;

namespace {

// The cell of tests/reference/stain.py: two dyes before a warm background.
Image cell(double strength = 1, std::array<double, 3> light = {243, 232, 214}) {
  Image image(40, 48, 3);
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t x = 0; x < 48; ++x) {
      const double dy = static_cast<double>(y) - 20, dx = static_cast<double>(x) - 26,
                   d2 = dy * dy + dx * dx;
      const double azure = strength * 1.3 * std::max(0.0, 1 - d2 / 120),
                   eosin = strength * (0.9 * std::max(0.0, 1 - d2 / 300) + (x < 9 ? 0.6 : 0));
      const double density[3] = {azure * 0.60 + eosin * 0.25, azure * 0.76 + eosin * 0.80,
                                 azure * 0.25 + eosin * 0.545};
      for (size_t c = 0; c < 3; ++c)
        image.at(y, x)[c] =
            static_cast<uint8_t>(std::floor(light[c] * std::exp(-density[c]) + 0.5));
    }
  return image;
}

Region whole(const Image& image) { return {0, 0, image.height, image.width}; }
StainStats measured(const Image& image) { return measure_stain(image, whole(image)); }

StainStats other_stain() {
  StainStats s;
  s.trust = StainStats::all;
  s.mean = {9.1, 0.15, 0.04};
  s.spread = {0.30, 0.05, 0.03};
  s.light = {250, 240, 235};
  for (size_t k = 0; k < 2; ++k) {
    const std::array<double, 3> d =
        k == 0 ? std::array<double, 3>{0.65, 0.70, 0.29} : std::array<double, 3>{0.07, 0.99, 0.11};
    const double n = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
    s.dyes[k] = {d[0] / n, d[1] / n, d[2] / n};
  }
  s.amounts = {1.5, 0.8};
  return s;
}

void check_near(const std::array<double, 3>& a, const std::array<double, 3>& b, double tolerance) {
  for (size_t c = 0; c < 3; ++c) {
    CAPTURE(c);
    CHECK(std::abs(a[c] - b[c]) <= tolerance);
  }
}

double largest_difference(const Image& a, const Image& b) {
  double worst = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a.pixels[i]) - b.pixels[i]));
  return worst;
}

constexpr StainMethod both[] = {StainMethod::reinhard, StainMethod::macenko};

}  // namespace

// Numbers: python3 tests/reference/stain.py
TEST_CASE("stain: measures agree with numpy") {
  const StainStats s = measured(cell());
  CHECK(s.trust == StainStats::all);
  check_near(s.mean, {8.95236, 0.01829395, 0.03255839}, 1e-5);
  check_near(s.spread, {0.5291038, 0.09145605, 0.02236016}, 1e-5);
  check_near(s.light, {243, 232, 214}, 1e-6);
  check_near(s.dyes[0], {0.4681753, 0.7970226, 0.3815324}, 1e-5);
  check_near(s.dyes[1], {0.2476602, 0.7975214, 0.5501128}, 1e-5);
  CHECK(s.amounts[0] == doctest::Approx(2.061951).epsilon(1e-5));
  CHECK(s.amounts[1] == doctest::Approx(0.5874134).epsilon(1e-5));
}

TEST_CASE("stain: changed pixels agree with numpy") {
  const Image image = cell();
  const StainStats s = measured(image), target = other_stain();
  const int64_t places[5][2] = {{0, 0}, {20, 26}, {20, 20}, {26, 36}, {5, 4}};
  const double reinhard[5][3] = {{255.00, 168.50, 153.82},
                                 {174.10, 79.88, 118.16},
                                 {196.12, 101.16, 128.59},
                                 {255.00, 180.08, 159.10},
                                 {255.00, 168.50, 153.82}};
  const double macenko[5][3] = {{235.48, 107.58, 214.43},
                                {90.28, 82.02, 149.49},
                                {120.15, 92.48, 166.32},
                                {237.58, 125.10, 218.57},
                                {235.48, 107.58, 214.43}};
  for (const StainMethod method : both) {
    const Image out = normalise_stain(image, stain_change(s, target, method));
    const auto& expected = method == StainMethod::reinhard ? reinhard : macenko;
    for (size_t i = 0; i < 5; ++i)
      for (size_t c = 0; c < 3; ++c) {
        CAPTURE(i);
        CAPTURE(c);
        CHECK(std::abs(out.at(places[i][0], places[i][1])[c] - expected[i][c]) <= 0.51);
      }
  }
}

TEST_CASE("stain: the dyes of a drawn cell are found again") {
  const StainStats s = measured(cell());
  // Azure never stands alone, so its direction leans to eosin; eosin does.
  check_near(s.dyes[1], {0.25, 0.80, 0.545}, 0.03);
  CHECK(s.dyes[0][0] > 0.45);
  check_near(s.light, {243, 232, 214}, 1);
}

TEST_CASE("stain: to one's own stain nothing changes, and there and back little") {
  const Image image = cell(), paler = cell(0.6, {225, 228, 240});
  const StainStats a = measured(image), b = measured(paler);
  for (const StainMethod method : both) {
    CHECK(largest_difference(normalise_stain(image, stain_change(a, a, method)), image) <= 1);
    const Image there = normalise_stain(image, stain_change(a, b, method));
    CHECK(largest_difference(there, image) > 10);
    CHECK(largest_difference(normalise_stain(there, stain_change(b, a, method)), image) <= 3);
  }
}

TEST_CASE("stain: a changed image measures as the target") {
  const Image image = cell();
  const StainStats target = measured(cell(0.6, {225, 228, 240}));
  const StainStats r =
      measured(normalise_stain(image, stain_change(measured(image), target, both[0])));
  check_near(r.mean, target.mean, 0.01);
  check_near(r.spread, target.spread, 0.01);
  const StainStats m =
      measured(normalise_stain(image, stain_change(measured(image), target, both[1])));
  check_near(m.light, target.light, 1.5);
  check_near(m.dyes[0], target.dyes[0], 0.03);
  check_near(m.dyes[1], target.dyes[1], 0.03);
  for (size_t k = 0; k < 2; ++k)
    CHECK(m.amounts[k] == doctest::Approx(target.amounts[k]).epsilon(0.05));
}

TEST_CASE("stain: images that tell nothing stay as they are") {
  Image grey(30, 30, 1);
  for (size_t i = 0; i < grey.pixels.size(); ++i) grey.pixels[i] = static_cast<uint8_t>(i);
  Image dark = cell();
  for (uint8_t& v : dark.pixels) v = static_cast<uint8_t>(v / 8);
  for (const Image& image : {Image(20, 20, 3, 0), Image(20, 20, 3, 255), Image(20, 20, 3, 128),
                             Image(1, 1, 3, 9), grey, dark}) {
    const StainStats s = measured(image);
    CHECK(s.trust == StainStats::nothing);
    for (const StainMethod method : both) {
      CHECK(stain_change(s, other_stain(), method).method == StainMethod::none);
      CHECK(normalise_stain(image, stain_change(s, other_stain(), method)) == image);
    }
  }
  CHECK(stain_change(measured(cell()), other_stain(), StainMethod::none).method ==
        StainMethod::none);
}

TEST_CASE("stain: with little tissue or one dye only the background moves") {
  Image little(40, 40, 3, 200);
  for (int64_t x = 0; x < 40; ++x)  // half the rows a bit darker, no tissue
    for (int64_t y = 0; y < 20; ++y)
      for (int64_t c = 0; c < 3; ++c) little.at(y, x)[c] = 188;
  Image one(40, 40, 3, 220);
  for (int64_t x = 0; x < 40; ++x)
    for (int64_t y = 0; y < 20; ++y) {
      const double a = 0.4 + 0.02 * static_cast<double>(x);
      const double d[3] = {0.6, 0.75, 0.28};
      for (int c = 0; c < 3; ++c)
        one.at(y, x)[c] = static_cast<uint8_t>(220 * std::exp(-a * d[c]) + 0.5);
    }
  for (const Image& image : {little, one}) {
    const StainStats s = measured(image);
    CHECK(s.trust == StainStats::background);
    const StainChange change = stain_change(s, other_stain(), StainMethod::macenko);
    CHECK(change.matrix[0] == 1.0f);
    CHECK(change.matrix[1] == 0.0f);
    const Image out = normalise_stain(image, change);
    CHECK(std::abs(out.at(39, 0)[0] - 250) <= 1);
    CHECK(std::abs(out.at(39, 0)[2] - 235) <= 1);
  }
}

TEST_CASE("stain: the part that is shown is what counts") {
  Image image(40, 148, 3, 30);
  const Image inner = cell();
  for (int64_t y = 0; y < 40; ++y)
    for (int64_t x = 0; x < 48; ++x) std::copy_n(inner.at(y, x), 3, image.at(y, x + 50));
  const StainStats part = measure_stain(image, {0, 50, 40, 48}), alone = measured(inner);
  CHECK(stain_text(part) == stain_text(alone));
  // A region that reaches outside counts what lies inside.
  CHECK(stain_text(measure_stain(inner, {-30, -30, 200, 200})) == stain_text(alone));
  CHECK(measure_stain(inner, {100, 100, 5, 5}).trust == StainStats::nothing);
}

TEST_CASE("stain: large images are measured on a grid") {
  const Image small = cell();
  const Image large = resize(small, 800, 960);
  const StainStats a = measured(small), b = measured(large);
  check_near(a.mean, b.mean, 0.02);
  check_near(a.light, b.light, 2);
  check_near(a.dyes[0], b.dyes[0], 0.05);
  check_near(a.dyes[1], b.dyes[1], 0.05);
}

TEST_CASE("stain: normalised input is the normalised image, whatever else happens to it") {
  const Image image = cell();
  Preprocess plain, stained;
  plain.size = stained.size = 48;
  plain.fit = stained.fit = Fit::stretch;
  stained.stain_target = other_stain();
  for (const StainMethod method : both) {
    stained.stain = method;
    const Image direct =
        normalise_stain(image, stain_change(measured(image), other_stain(), method));
    const Image seen = preview(image, {}, stained, {}, Rng(0));
    CHECK(largest_difference(seen, preview(direct, {}, plain, {}, Rng(0))) <= 3);
    // Flips move the pixels of the same image: what is measured is not what is drawn.
    Augmentation flips;
    flips.flip_horizontal = 1;
    CHECK(preview(image, {}, stained, flips, Rng(3)) == flip_horizontal(seen));
  }
}

TEST_CASE("stain: batches that are finished later hold the same bits") {
  const std::vector<Image> images = {cell(), cell(0.7), Image(9, 9, 3, 77), Image(20, 30, 1, 8)};
  Preprocess pre;
  pre.size = 20;
  pre.stain_target = other_stain();
  for (const StainMethod method : both) {
    pre.stain = method;
    const Tensor direct = Tensor::empty({4, 20, 20, 3}), later = Tensor::empty({4, 20, 20, 3});
    std::vector<RawPart> parts;
    for (size_t i = 0; i < images.size(); ++i) {
      const Rng rng(1, "augment", 0, i);
      const Augmentation a = Augmentation::full();
      prepare(images[i], {}, pre, a, rng, direct.data<float>() + i * 20 * 20 * 3);
      parts.push_back(raw_part(images[i], {}, pre, a, rng));
    }
    CHECK(parts[0].change.normal != kernels::ImageChange::as_is);
    CHECK(parts[2].change.normal == kernels::ImageChange::as_is);
    prepare(join_parts(parts, pre), later);
    CHECK(later.to_vector<float>() == direct.to_vector<float>());
  }
}

TEST_CASE("stain: typical stains are medians") {
  std::vector<StainStats> all(5, measured(cell()));
  all[1] = other_stain();
  all[3] = measured(Image(9, 9, 3, 0));
  const StainStats t = typical_stain(all);
  check_near(t.light, all[0].light, 1e-4);
  CHECK(t.amounts[0] == doctest::Approx(all[0].amounts[0]));
  const auto& d = t.dyes[0];
  CHECK(d[0] * d[0] + d[1] * d[1] + d[2] * d[2] == doctest::Approx(1));
  CHECK_THROWS_WITH_AS(typical_stain({all[3]}), doctest::Contains("stain.none"), DataError);
  CHECK_THROWS_AS(typical_stain({}), DataError);
}

TEST_CASE("stain: as text and back, names") {
  const StainStats s = measured(cell());
  CHECK(stain_text(parse_stain(stain_text(s), "x")) == stain_text(s));
  CHECK(builtin_stain().trust == StainStats::all);
  for (const char* bad : {"", "1 2 3", "a b c", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18",
                          "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 nan"})
    CHECK_THROWS_WITH_AS(parse_stain(bad, "file"), doctest::Contains("stain.form"), DataError);
  CHECK(stain_method("macenko") == StainMethod::macenko);
  CHECK_THROWS_WITH_AS(stain_method("makenko"), doctest::Contains("none, reinhard or macenko"),
                       ConfigError);
}

TEST_CASE("augmentation domains: as the protocol has it") {
  const Augmentation a = Augmentation::named("domains");
  CHECK(a.area_min == 0.7);
  CHECK(a.aspect_max == doctest::Approx(4.0 / 3));
  CHECK(a.brightness == 0.3);
  CHECK(a.contrast == 0.3);
  CHECK(a.saturation == 0.3);
  CHECK(a.hue == 0.3);
  CHECK(a.gray == 0.1);
  CHECK(a.flip_horizontal == 0.5);
  CHECK(a.flip_vertical == 0);
  CHECK(!a.rotate_90);
}
