#include "cytograd/data/field_view.h"

#include "support.h"

using namespace cytograd;
using detection::MaskPiece;

namespace {

// Grey noise below 100 with two L-shaped objects painted in colours of their own.
FieldView painted() {
  FieldView out{Image(40, 60, 3), {}};
  Rng rng(3, "painted");
  for (uint8_t& v : out.image.pixels) v = static_cast<uint8_t>(rng.below(100));
  const auto add = [&out](int64_t x, int64_t y, int64_t w, int64_t h, uint8_t value) {
    MaskPiece mask{x, y, w, h, std::vector<uint8_t>(static_cast<size_t>(w * h), 1)};
    for (int64_t i = 0; i < h / 2; ++i)
      for (int64_t j = w / 2; j < w; ++j) mask.values[static_cast<size_t>(i * w + j)] = 0;
    for (int64_t i = 0; i < h; ++i)
      for (int64_t j = 0; j < w; ++j)
        if (mask.values[static_cast<size_t>(i * w + j)] != 0) out.image.at(y + i, x + j)[0] = value;
    out.objects.push_back({value == 200 ? 0 : 1, detection::bounds(mask), mask, false});
  };
  add(5, 8, 12, 10, 200);
  add(35, 20, 9, 14, 250);
  return out;
}

// Red values are those of the objects exactly where the masks are.
void check_painted(const FieldView& view, size_t objects) {
  REQUIRE(view.objects.size() == objects);
  for (const FieldObject& o : view.objects) {
    const int value = o.label == 0 ? 200 : 250;
    CHECK(o.box == detection::bounds(o.mask));
    int64_t wrong = 0;
    for (int64_t y = 0; y < view.image.height; ++y)
      for (int64_t x = 0; x < view.image.width; ++x)
        wrong += (view.image.at(y, x)[0] == value) != o.mask.at(y, x);
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("boxes and masks move with the image") {
  const FieldView view = painted();
  check_painted(view, 2);
  check_painted(flip_horizontal(view), 2);
  check_painted(flip_vertical(view), 2);
  for (int turns = -1; turns < 5; ++turns) check_painted(rotate_90(view, turns), 2);
  const FieldView back = rotate_90(rotate_90(view, 1), 3);
  CHECK(back.image == view.image);
  CHECK(back.objects == view.objects);
}

TEST_CASE("a window clips objects and leaves out what is hardly seen") {
  const FieldView view = painted();
  check_painted(crop(view, {4, 4, 30, 50}), 2);
  check_painted(crop(view, {0, 0, 40, 37}), 1);  // two ninths of the second box are too little
  const FieldView half = crop(view, {0, 10, 40, 50});
  REQUIRE(half.objects.size() == 2);
  check_painted(half, 2);
  CHECK_THROWS_AS(crop(view, {0, 20, 40, 50}), ValueError);
}

TEST_CASE("augmentation of fields depends on the stream alone") {
  const FieldView view = painted();
  FieldAugmentation geometry;
  geometry.pixels.flip_horizontal = geometry.pixels.flip_vertical = 0.5;
  geometry.pixels.rotate_90 = true;
  geometry.crop = 0.7;
  geometry.crop_min = 0.6;
  for (uint64_t n = 0; n < 30; ++n) {
    const FieldView once = augment(view, geometry, Rng(1, "field", n));
    const FieldView again = augment(view, geometry, Rng(1, "field", n));
    CHECK(once.image == again.image);
    CHECK(once.objects == again.objects);
    CHECK(!once.objects.empty());
    check_painted(once, once.objects.size());
  }
  FieldAugmentation colours;
  colours.pixels.brightness = colours.pixels.stain = 0.3;
  const FieldView bright = augment(view, colours, Rng(1, "field"));
  CHECK(bright.image != view.image);
  CHECK(bright.objects == view.objects);
  CHECK(augment(view, {}, Rng(1, "field")).image == view.image);
}

TEST_CASE("large fields show tiles") {
  FieldView view{Image(300, 500, 3), {}};
  MaskPiece mask{400, 200, 20, 20, std::vector<uint8_t>(400, 1)};
  view.objects.push_back({0, detection::bounds(mask), mask, false});
  FieldAugmentation tiles;
  tiles.tile = 64;
  int with = 0;
  for (uint64_t n = 0; n < 50; ++n) {
    const FieldView tile = augment(view, tiles, Rng(2, "field", n));
    CHECK(tile.image.height == 64);
    CHECK(tile.image.width == 64);
    with += !tile.objects.empty();
  }
  CHECK(with >= 40);
}
