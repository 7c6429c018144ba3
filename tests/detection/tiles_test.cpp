#include "cytograd/detection/tiles.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cytograd/detection/measure.h"
#include "cytograd/models/mask_rcnn/tiled.h"
#include "small_detector.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

MaskPiece block(int64_t x, int64_t y, int64_t w, int64_t h) {
  return {x, y, w, h, std::vector<uint8_t>(static_cast<size_t>(w * h), 1)};
}

// What is found of an object in a tile: the part of its mask that the tile shows.
FoundObject seen(const MaskPiece& whole, const Tile& tile, float score, int64_t label = 1) {
  MaskPiece part = cut(whole, tile.y, tile.x, tile.height, tile.width);
  part.x += tile.x;
  part.y += tile.y;
  return {label, score, bounds(part), part, false};
}

}  // namespace

TEST_CASE("tiles cover the field and stay inside") {
  for (const int64_t side : {40, 64, 100, 1000}) {
    const TileOptions options{.side = side, .overlap = 0.25};
    const int64_t height = 150, width = 233;
    std::vector<int> covered(static_cast<size_t>(height * width), 0);
    for (const Tile& t : tile_grid(height, width, options)) {
      CHECK(t.y >= 0);
      CHECK(t.x >= 0);
      CHECK(t.y + t.height <= height);
      CHECK(t.x + t.width <= width);
      CHECK(t.height == std::min(side, height));
      CHECK(t.width == std::min(side, width));
      for (int64_t y = t.y; y < t.y + t.height; ++y)
        for (int64_t x = t.x; x < t.x + t.width; ++x)
          covered[static_cast<size_t>(y * width + x)] = 1;
    }
    CHECK(std::count(covered.begin(), covered.end(), 0) == 0);
  }
  CHECK(tile_grid(150, 233, {}).size() == 1);
  CHECK(tile_grid(1, 1, {.side = 5}) == std::vector<Tile>{{0, 0, 1, 1}});
  // Neighbours overlap by the share at least.
  const auto row = tile_grid(100, 300, {.side = 100, .overlap = 0.25});
  for (size_t i = 1; i < row.size(); ++i) CHECK(row[i].x - row[i - 1].x <= 75);
  CHECK_THROWS_AS(tile_grid(0, 5, {}), ValueError);
  CHECK_THROWS_AS(tile_grid(5, 5, {.side = 4, .overlap = 1}), ValueError);
}

TEST_CASE("an object that several tiles show is found once") {
  const TileOptions options{.side = 100, .overlap = 0.4};
  const auto tiles = tile_grid(100, 160, options);
  REQUIRE(tiles.size() == 2);
  REQUIRE(tiles[1].x == 60);
  const MaskPiece both = block(65, 30, 30, 30), crossing = block(90, 70, 20, 20),
                  left = block(5, 5, 20, 20), large = block(20, 62, 120, 6);
  SUBCASE("whole in both: the better score stays") {
    const auto out = merge_tiles(
        tiles, {{seen(both, tiles[0], 0.8f)}, {seen(both, tiles[1], 0.9f)}}, 100, 160, options);
    REQUIRE(out.size() == 1);
    CHECK(out[0].score == 0.9f);
    CHECK(out[0].mask == both);
  }
  SUBCASE("whole in one: that one stays, whatever the scores") {
    const auto out =
        merge_tiles(tiles, {{seen(crossing, tiles[0], 0.95f)}, {seen(crossing, tiles[1], 0.7f)}},
                    100, 160, options);
    REQUIRE(out.size() == 1);
    CHECK(out[0].mask == crossing);
    CHECK(!out[0].cut);
  }
  SUBCASE("cut in both: joined") {
    const auto out = merge_tiles(
        tiles, {{seen(large, tiles[0], 0.6f)}, {seen(large, tiles[1], 0.7f)}}, 100, 160, options);
    REQUIRE(out.size() == 1);
    CHECK(out[0].mask == large);
    CHECK(out[0].box == bounds(large));
    CHECK(out[0].score == 0.7f);
  }
  SUBCASE("others are not touched") {
    const auto out = merge_tiles(
        tiles,
        {{seen(left, tiles[0], 0.5f), seen(both, tiles[0], 0.9f)}, {seen(both, tiles[1], 0.8f, 2)}},
        100, 160, options);
    REQUIRE(out.size() == 3);  // another class is another object
    CHECK(out[0].score == 0.9f);
    CHECK(out[2].mask == left);
  }
  CHECK_THROWS_AS(merge_tiles(tiles, {{}}, 100, 160, options), ValueError);
}

TEST_CASE("label pixels: the better score has the pixel") {
  std::vector<FoundObject> objects = {{1, 0.6f, {0, 0, 4, 4}, block(0, 0, 4, 4), false},
                                      {1, 0.9f, {2, 2, 6, 6}, block(2, 2, 4, 4), false},
                                      {1, 0.7f, {6, 0, 8, 2}, {}, false}};
  const auto labels = label_pixels(objects, 6, 8);
  CHECK(labels[0] == 1);
  CHECK(labels[2 * 8 + 2] == 2);
  CHECK(labels[1 * 8 + 7] == 3);
  CHECK(labels[5 * 8 + 0] == 0);
}

TEST_CASE("a nucleus is measured in the cell that holds it") {
  const std::vector<FoundObject> objects = {
      {1, 0.9f, {10, 10, 30, 30}, block(10, 10, 20, 20), false},
      {2, 0.8f, {12, 12, 18, 18}, block(12, 12, 6, 6), false},
      {2, 0.7f, {22, 22, 26, 26}, block(22, 22, 4, 4), false},
      {1, 0.6f, {0, 40, 10, 50}, block(0, 40, 10, 10), false},
      {2, 0.5f, {50, 50, 60, 60}, block(50, 50, 10, 10), false}};
  const auto cells = measure_cells(objects, 2, 64, 64);
  REQUIRE(cells.size() == 2);
  CHECK(cells[0].area == 400);
  CHECK(cells[0].nucleus_area == 36 + 16);
  CHECK(cells[0].nucleus_parts == 2);
  CHECK(cells[0].nucleus_share == doctest::Approx(0.13));
  CHECK(!cells[0].at_border);
  CHECK(cells[1].object == 3);
  CHECK(cells[1].at_border);
  CHECK(cells[1].nucleus_area == 0);
  CHECK(measure_cells(objects, 0, 64, 64).size() == 5);
}

TEST_CASE("fields of 20,000 x 20,000 pixels are read tile by tile, one of 1 x 1 is one tile") {
  models::MaskRcnn model(test::small_detector());
  model.eval();
  int64_t largest = 0, tiles = 0;
  const auto grey = [&largest, &tiles](const Tile& tile) {
    largest = std::max(largest, tile.height * tile.width);
    ++tiles;
    return Tensor::full({tile.height, tile.width, 1}, 0.5);
  };
  const TileOptions options{.side = 2500, .overlap = 0};
  const auto found = models::detect_in_tiles(model, grey, 20'000, 20'000, options);
  CHECK(tiles == 64);
  CHECK(largest == 2500 * 2500);
  for (const FoundObject& o : found) {
    CHECK(o.box.x1 >= 0);
    CHECK(o.box.x2 <= 20'000);
    CHECK(o.box.y2 <= 20'000);
  }
  tiles = 0;
  for (const FoundObject& o : models::detect_in_tiles(model, grey, 1, 1)) CHECK(o.box.x2 <= 1);
  CHECK(tiles == 1);
}

TEST_CASE("more objects than 16 bits count are joined, labelled and told apart") {
  constexpr int64_t across = 260, side = 3 * across;
  std::vector<FoundObject> objects;
  for (int64_t y = 0; y < across; ++y)
    for (int64_t x = 0; x < across; ++x) {
      const MaskPiece mask = block(3 * x, 3 * y, 2, 2);
      objects.push_back({1, 0.9f, bounds(mask), mask, false});
    }
  REQUIRE(objects.size() > 65'536);
  const std::vector<Tile> tiles = tile_grid(side, side, {});
  CHECK(merge_tiles(tiles, {objects}, side, side, {}).size() == objects.size());
  const auto labels = label_pixels(objects, side, side);
  CHECK(labels[static_cast<size_t>((side - 2) * side + side - 2)] == objects.size());
  CHECK(measure_cells(objects, 0, side, side).size() == objects.size());
}
