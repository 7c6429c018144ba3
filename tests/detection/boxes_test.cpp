#include "cytograd/detection/boxes.h"

#include <doctest/doctest.h>

#include <limits>

#include "cytograd/core/random.h"
#include "cytograd/detection/anchors.h"
#include "cytograd/detection/suppress.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

const float unknown_value = std::numeric_limits<float>::quiet_NaN();

void check_box(const Box& got, const Box& want, double tolerance) {
  CAPTURE(got);
  CHECK(std::abs(got.x1 - want.x1) <= tolerance);
  CHECK(std::abs(got.y1 - want.y1) <= tolerance);
  CHECK(std::abs(got.x2 - want.x2) <= tolerance);
  CHECK(std::abs(got.y2 - want.y2) <= tolerance);
}

}  // namespace

TEST_CASE("box differences are those of the published coding") {
  const Box reference{10, 20, 50, 100}, object{12, 25, 60, 90};
  const BoxDeltas plain = encode(object, reference);
  const float expected[] = {0.15f, -0.03125f, 0.182322f, -0.207639f};
  const float weighted[] = {1.5f, -0.3125f, 0.911608f, -1.038197f};
  const BoxWeights weights{10, 10, 5, 5};
  const BoxDeltas scaled = encode(object, reference, weights);
  for (size_t i = 0; i < 4; ++i) {
    CHECK(plain[i] == doctest::Approx(expected[i]).epsilon(1e-5));
    CHECK(scaled[i] == doctest::Approx(weighted[i]).epsilon(1e-5));
  }
  check_box(decode(scaled.data(), reference, weights), object, 1e-4);
  // Growth is cut at 1000 / 16 = 62.5.
  const float wild[] = {1, -2, 0.5f, 30};
  check_box(decode(wild, reference, weights), {11.896580f, -2456.0002f, 56.103420f, 2544.0002f},
            1e-3);
  CHECK(encode({5, 5, 5, 9}, reference)[2] == -std::numeric_limits<float>::infinity());
  const float unknown[] = {0, 0, unknown_value, 0};
  CHECK(std::isnan(decode(unknown, reference).x1));
}

TEST_CASE("decoding undoes encoding") {
  Rng rng(1, "boxes");
  for (int i = 0; i < 200; ++i) {
    const auto box = [&rng] {
      const auto x = static_cast<float>(rng.uniform(-50, 500)),
                 y = static_cast<float>(rng.uniform(-50, 500));
      return Box{x, y, x + static_cast<float>(rng.uniform(1, 300)),
                 y + static_cast<float>(rng.uniform(1, 300))};
    };
    const Box object = box(), reference = box();
    const BoxWeights weights{10, 10, 5, 5};
    if (object.width() > 60 * reference.width() || object.height() > 60 * reference.height())
      continue;
    check_box(decode(encode(object, reference, weights).data(), reference, weights), object,
              1e-4 * std::max(object.width(), object.height()) + 1e-3);
  }
}

TEST_CASE("clipping keeps the image's border, and NaN") {
  check_box(clip({-3, -1, 700, 400}, 300, 600), {0, 0, 600, 300}, 0);
  const Box outside = clip({-30, -20, -10, -5}, 300, 600);
  CHECK_FALSE(sides_at_least(outside, 1e-3f));
  const Box unknown = clip({unknown_value, 0, 5, 5}, 10, 10);
  CHECK(std::isnan(unknown.x1));
  CHECK_FALSE(sides_at_least(unknown, 0));
  CHECK_FALSE(finite(unknown));
  CHECK(sides_at_least({1, 1, 2, 2}, 1));
}

TEST_CASE("overlap") {
  const Box a{0, 0, 10, 10}, b{1, 1, 11, 11}, c{0, 0, 10, 5};
  CHECK(overlap(a, b) == doctest::Approx(0.680672).epsilon(1e-6));
  CHECK(overlap(a, c) == 0.5f);
  CHECK(overlap(b, c) == doctest::Approx(0.315789).epsilon(1e-6));
  CHECK(overlap(a, {20, 20, 30, 30}) == 0);
  CHECK(overlap({1, 1, 1, 1}, {1, 1, 1, 1}) == 0);  // 0 / 0
  CHECK(overlap(a, {unknown_value, 0, 5, 5}) == 0);
}

TEST_CASE("anchors of a cell, rounded to even halves") {
  const AnchorOptions options;
  const Box expected[5][3] = {
      {{-23, -11, 23, 11}, {-16, -16, 16, 16}, {-11, -23, 11, 23}},
      {{-45, -23, 45, 23}, {-32, -32, 32, 32}, {-23, -45, 23, 45}},
      {{-91, -45, 91, 45}, {-64, -64, 64, 64}, {-45, -91, 45, 91}},
      {{-181, -91, 181, 91}, {-128, -128, 128, 128}, {-91, -181, 91, 181}},
      {{-362, -181, 362, 181}, {-256, -256, 256, 256}, {-181, -362, 181, 362}}};
  CHECK(options.per_cell() == 3);
  for (size_t l = 0; l < 5; ++l) {
    const std::vector<Box> cells = cell_anchors(options.sizes[l], options.ratios);
    REQUIRE(cells.size() == 3);
    for (size_t a = 0; a < 3; ++a) CHECK(cells[a] == expected[l][a]);
  }
  CHECK(cell_anchors({5}, {1})[0] == Box{-2, -2, 2, 2});  // 2.5 goes to 2
  CHECK(cell_anchors({8, 16}, {1, 4}).size() == 4);
  CHECK_THROWS_AS(cell_anchors({0}, {1}), ValueError);
}

TEST_CASE("anchors of 800 x 800 pixels") {
  const AnchorOptions options;
  const int64_t sides[] = {200, 100, 50, 25, 13};
  std::vector<Box> all;
  for (size_t l = 0; l < 5; ++l) {
    const std::vector<Box> level = grid_anchors(cell_anchors(options.sizes[l], options.ratios),
                                                {800, 800}, {sides[l], sides[l]});
    all.insert(all.end(), level.begin(), level.end());
  }
  CHECK(all.size() == 159882);
  CHECK(all[3] == Box{-19, -11, 27, 11});
  CHECK(all[600] == Box{-23, -7, 23, 15});
  CHECK(all.back() == Box{551, 370, 913, 1094});  // stride 61, not 64
  CHECK_THROWS_AS(grid_anchors({{0, 0, 1, 1}}, {4, 4}, {5, 1}), ValueError);
}

TEST_CASE("the largest values, equal ones in their order, never NaN") {
  const std::vector<float> values{1, 3, unknown_value, 3, 2, 3};
  CHECK(largest(values, 2) == std::vector<int64_t>{1, 3});
  CHECK(largest(values, 100) == std::vector<int64_t>{1, 3, 5, 4, 0});
  CHECK(largest(values, 0).empty());
  CHECK(largest({}, 3).empty());
}

TEST_CASE("suppression within groups keeps the best") {
  ScoredBoxes given;
  given.add({0, 0, 10, 10}, 0.9f, 1);
  given.add({1, 1, 11, 11}, 0.8f, 1);
  given.add({1, 1, 11, 11}, 0.8f, 2);
  given.add({20, 20, 30, 30}, 0.95f, 1);
  const ScoredBoxes kept = suppress(given, 0.5, 10);
  CHECK(kept.scores == std::vector<float>{0.95f, 0.9f, 0.8f});
  CHECK(kept.groups == std::vector<int64_t>{1, 1, 2});
  CHECK(suppress(kept, 0.5, 10).scores == kept.scores);  // again: nothing changes
  CHECK(suppress(given, 0.5, 1).boxes == std::vector<Box>{{20, 20, 30, 30}});
  CHECK(suppress({}, 0.5, 10).size() == 0);
}
