#include "cytograd/detection/mask_piece.h"

#include <doctest/doctest.h>

#include "cytograd/core/random.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

constexpr int64_t height = 9, width = 7;

std::vector<uint8_t> random_mask(uint64_t number, double share) {
  Rng rng(5, "mask", number);
  std::vector<uint8_t> out(static_cast<size_t>(height * width));
  for (uint8_t& v : out) v = rng.chance(share) ? 1 : 0;
  return out;
}

std::vector<uint8_t> whole(const MaskPiece& mask) {
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) out.push_back(mask.at(y, x) ? 1 : 0);
  return out;
}

MaskPiece square(int64_t x, int64_t y, int64_t side) {
  return {x, y, side, side, std::vector<uint8_t>(static_cast<size_t>(side * side), 1)};
}

}  // namespace

TEST_CASE("mask pieces and runs say the same") {
  for (uint64_t n = 0; n < 40; ++n) {
    const auto mask = random_mask(n, n % 4 == 0 ? 0.05 : n % 4 == 1 ? 0.5 : n % 4 == 2 ? 0.95 : 1);
    const Rle runs = encode_mask(mask, height, width);
    const MaskPiece piece = piece_of(runs);
    CHECK(whole(piece) == mask);
    CHECK(decode_mask(rle_of(piece, height, width)) == mask);
    CHECK(area(piece) == area(runs));
  }
  const MaskPiece none = piece_of(encode_mask(std::vector<uint8_t>(63, 0), height, width));
  CHECK(none.empty());
  CHECK(area(rle_of(none, height, width)) == 0);
  // The runs that are written are those of the dense encoder.
  for (const MaskPiece& m : {square(0, 0, 3), square(4, 6, 3), square(2, 3, 2), square(0, 2, 7)})
    CHECK(rle_of(m, height, width) == encode_mask(whole(m), height, width));
  CHECK_THROWS_AS(rle_of(square(5, 5, 3), height, width), ValueError);
}

TEST_CASE("mask pieces: cut, join, overlap, bounds") {
  const MaskPiece a = square(1, 1, 4), b = square(3, 2, 4);
  const Box all{0, 0, 7, 9};
  CHECK(intersection(a, b, all) == 2 * 3);
  CHECK(intersection(a, b, {0, 0, 4, 9}) == 3);
  CHECK(area(joined(a, b)) == 16 + 16 - 6);
  CHECK(bounds(joined(a, b)) == Box{1, 1, 7, 6});
  CHECK(bounds(cut(a, 2, 3, 5, 4)) == Box{0, 0, 2, 3});
  CHECK(cut(a, 6, 0, 3, 7).empty());
  MaskPiece loose{0, 0, 7, 9, std::vector<uint8_t>(63, 0)};
  loose.values[2 * 7 + 3] = 1;
  CHECK(tight(loose) == MaskPiece{3, 2, 1, 1, {1}});
}

TEST_CASE("connected parts hang together by corners") {
  const std::vector<uint8_t> mask = {1, 0, 0, 0,  //
                                     0, 1, 0, 1,  //
                                     0, 0, 0, 1};
  const auto parts = connected_parts(mask, 3, 4);
  REQUIRE(parts.size() == 2);
  CHECK(bounds(parts[0]) == Box{0, 0, 2, 2});
  CHECK(parts[0].values == std::vector<uint8_t>{1, 0, 0, 1});
  CHECK(bounds(parts[1]) == Box{3, 1, 4, 3});
  CHECK(connected_parts(MaskPiece{}).empty());
  CHECK_THROWS_AS(connected_parts(mask, 3, 5), ValueError);
}
