#include "cytograd/detection/masks.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/pair.h"
#include "cytograd/core/random.h"
#include "cytograd/detection/rle.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

std::vector<float> square(int64_t side, int64_t low, int64_t high) {
  std::vector<float> out(static_cast<size_t>(side * side), 0.f);
  for (int64_t i = low; i <= high; ++i)
    for (int64_t j = low; j <= high; ++j) out[static_cast<size_t>(i * side + j)] = 1;
  return out;
}

struct Sums {
  double sum = 0;
  int64_t pixels = 0, first_row = 1000, last_row = -1, first_column = 1000, last_column = -1;
};
Sums sums(const PastedMask& m, int64_t height, int64_t width) {
  Sums out;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      out.sum += m.at(y, x);
      if (m.at(y, x) < 0.5f) continue;
      ++out.pixels;
      out.first_row = std::min(out.first_row, y);
      out.last_row = std::max(out.last_row, y);
      out.first_column = std::min(out.first_column, x);
      out.last_column = std::max(out.last_column, x);
    }
  return out;
}

std::vector<uint8_t> random_mask(Rng& rng, int64_t n, double share) {
  std::vector<uint8_t> out(static_cast<size_t>(n));
  for (uint8_t& v : out) v = rng.chance(share) ? 1 : 0;
  return out;
}

}  // namespace

TEST_CASE("masks are laid over their boxes") {
  const PastedMask mask = paste_mask(square(28, 7, 20), 28, {10.3f, 20.6f, 38.9f, 50.2f}, 64, 64);
  const Sums got = sums(mask, 64, 64);
  CHECK(got.sum == doctest::Approx(223.343109).epsilon(1e-5));
  CHECK(got.pixels == 225);
  CHECK(got.first_row == 28);
  CHECK(got.last_row == 42);
  CHECK(got.first_column == 17);
  CHECK(got.last_column == 31);
  const PastedMask border = paste_mask(square(28, 0, 27), 28, {-6, -4, 20, 24}, 32, 32);
  CHECK(sums(border, 32, 32).pixels == 500);
  CHECK(sums(border, 32, 32).sum == doctest::Approx(500.418457).epsilon(1e-5));
  CHECK(border.at(0, 0) == 1);
  // -0.5 becomes 0, not -1: columns 0..20, rows 0..24.
  const PastedMask cut = paste_mask(square(28, 0, 27), 28, {0.2f, 0.4f, 20, 24}, 32, 32);
  CHECK(cut.x == 0);
  CHECK(cut.y == 0);
  CHECK(cut.width == 21);
  CHECK(cut.height == 25);
}

TEST_CASE("masks of unusual boxes") {
  const std::vector<float> all = square(28, 0, 27);
  CHECK(paste_mask(all, 28, {50, 50, 80, 80}, 32, 32).values.empty());
  CHECK(paste_mask(all, 28, {-50, -50, -20, -20}, 32, 32).values.empty());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(paste_mask(all, 28, {nan, 0, 5, 5}, 32, 32).values.empty());
  CHECK(paste_mask(all, 28, {0, 0, 3e38f, 5}, 32, 32).width <= 32);
  const PastedMask point = paste_mask(all, 28, {5.2f, 6.2f, 5.2f, 6.2f}, 32, 32);  // one pixel
  CHECK(point.width == 1);
  CHECK(point.height == 1);
  CHECK(paste_mask(all, 28, {1, 1, 5, 5}, 0, 0).values.empty());
  CHECK_THROWS_AS(paste_mask(all, 27, {1, 1, 5, 5}, 32, 32), ValueError);
  CHECK_THROWS_AS(paste_mask(all, 28, {1, 1, 5, 5}, -1, 32), ValueError);
}

TEST_CASE("binary masks are resized by nearest neighbour") {
  const Tensor row = Tensor::from<uint8_t>({1, 0, 1}, {1, 1, 3});
  CHECK(resize_masks(row, 1, 5).to_vector<int64_t>() == std::vector<int64_t>{1, 1, 0, 0, 1});
  const Tensor two = Tensor::from<uint8_t>({1, 0, 0, 1, 0, 1, 1, 0}, {2, 2, 2});
  CHECK(resize_masks(two, 1, 1).to_vector<int64_t>() == std::vector<int64_t>{1, 0});
  CHECK(resize_masks(two, 4, 2).shape() == Shape{2, 4, 2});
  CHECK(resize_masks(Tensor::zeros({0, 3, 3}, Dtype::uint8), 5, 7).shape() == Shape{0, 5, 7});
  CHECK_THROWS_AS(resize_masks(Tensor::zeros({1, 2, 2}), 2, 2), DtypeError);
  CHECK_THROWS_AS(resize_masks(two, 0, 2), ValueError);
}

TEST_CASE("run lengths") {
  // Columns: 0 1 | 1 1 | 0 1.
  const std::vector<uint8_t> mask{0, 1, 0, 1, 1, 1};
  const Rle rle = encode_mask(mask, 2, 3);
  CHECK(rle.counts == std::vector<uint32_t>{1, 3, 1, 1});
  CHECK(decode_mask(rle) == mask);
  CHECK(area(rle) == 4);
  CHECK(encode_mask(std::vector<uint8_t>{1, 1}, 2, 1).counts == std::vector<uint32_t>{0, 2});
  CHECK(encode_mask({}, 0, 5).counts.empty());
  Rng rng(2, "rle");
  for (const double share : {0.0, 0.02, 0.5, 1.0})
    for (const Pair& size : {Pair(1, 1), Pair(7, 13), Pair(64, 33)}) {
      const int64_t h = size.h, w = size.w;
      const std::vector<uint8_t> a = random_mask(rng, h * w, share),
                                 b = random_mask(rng, h * w, 0.5);
      const Rle ra = encode_mask(a, h, w), rb = encode_mask(b, h, w);
      CHECK(decode_mask(ra) == a);
      CHECK(rle_from_text(rle_to_text(ra), h, w) == ra);
      int64_t both = 0;
      for (size_t i = 0; i < a.size(); ++i) both += a[i] != 0 && b[i] != 0 ? 1 : 0;
      CHECK(intersection(ra, rb) == both);
      CHECK(intersection(ra, ra) == area(ra));
    }
}

TEST_CASE("run lengths as text") {
  // 5 bits per character, 48 added: 0 is '0', 15 is '?', 16 needs a second character.
  CHECK(rle_to_text({1, 31, {0, 15, 16}}) == "0?`0");
  CHECK(rle_to_text({1, 14, {1, 5, 3, 5}}) == "1530");  // the last is a difference: 5 - 5
  CHECK(rle_from_text("1530", 1, 14).counts == std::vector<uint32_t>{1, 5, 3, 5});
  CHECK_THROWS_AS(rle_from_text("1530", 1, 15), ValueError);  // too few pixels
  CHECK_THROWS_AS(rle_from_text("1530", 1, 13), ValueError);  // too many
  CHECK_THROWS_AS(rle_from_text("15`", 1, 14), ValueError);   // ends within a number
  CHECK_THROWS_AS(rle_from_text("1 30", 1, 14), ValueError);  // no such character
  CHECK_THROWS_AS(rle_from_text("oooooooooo", 1, 14), ValueError);
  CHECK_THROWS_AS(intersection({1, 2, {2}}, {2, 1, {2}}), ValueError);
}

TEST_CASE("polygons as masks") {
  const auto of = [](const std::vector<double>& corners, int64_t h = 8, int64_t w = 10) {
    return rle_from_polygon(corners, h, w);
  };
  // A rectangle is its pixels, whichever corner is first and whichever way round.
  std::vector<uint8_t> rectangle(80, 0);
  for (size_t y = 2; y < 5; ++y)
    for (size_t x = 3; x < 9; ++x) rectangle[y * 10 + x] = 1;
  CHECK(decode_mask(of({3, 2, 9, 2, 9, 5, 3, 5})) == rectangle);
  CHECK(decode_mask(of({3, 5, 9, 5, 9, 2, 3, 2})) == rectangle);
  CHECK(decode_mask(of({9, 5, 3, 5, 3, 2, 9, 2})) == rectangle);
  CHECK(area(of({-5, -5, 50, -5, 50, 50, -5, 50})) == 80);  // cut at the image
  CHECK(area(of({0, 0, 10, 0, 10, 8, 0, 8})) == 80);
  // Sides that are a million times longer than the image cost no more.
  CHECK(area(of({-16e6, -16e6, 16e6, -16e6, 16e6, 16e6, -16e6, 16e6})) == 80);
  // x + y < 10.5: of row y the first 10 - y pixels.
  CHECK(area(of({-16e6, -16e6, 16e6, -16e6 + 10.5, -16e6 + 10.5, 16e6})) == 52);
  CHECK(of({0, 0, 10, 0, 10, 8, 0, 8}).counts == std::vector<uint32_t>{0, 80});
  CHECK(area(of({20, 20, 30, 20, 30, 30})) == 0);
  CHECK(area(of({})) == 0);
  CHECK(area(of({3, 3})) == 0);
  CHECK(area(of({3, 3, 7, 7})) == 0);  // a line
  CHECK(area(of({4.4, 4.4, 4.4, 4.4, 4.4, 4.4})) == 0);
  CHECK_THROWS_AS(of({1, 2, 3}), ValueError);
  CHECK_THROWS_AS(of({1, 2, 3, std::numeric_limits<double>::quiet_NaN()}), ValueError);
  // A disc of radius 30: as many pixels as its area, within half a pixel of outline.
  std::vector<double> disc;
  for (int i = 0; i < 100; ++i) {
    disc.push_back(40 + 30 * std::cos(i * 0.02 * 3.14159265358979));
    disc.push_back(41 + 30 * std::sin(i * 0.02 * 3.14159265358979));
  }
  const Rle round = of(disc, 90, 90);
  CHECK(std::abs(static_cast<double>(area(round)) - 2827.4) < 60);
  int64_t sum = 0;
  for (const uint32_t count : round.counts) sum += count;
  CHECK(sum == 8100);
  for (size_t i = 1; i < round.counts.size(); ++i) CHECK(round.counts[i] > 0);
}

TEST_CASE("the union of masks") {
  const Rle a = rle_from_polygon(std::vector<double>{0, 0, 4, 0, 4, 4, 0, 4}, 8, 8),
            b = rle_from_polygon(std::vector<double>{2, 2, 6, 2, 6, 6, 2, 6}, 8, 8);
  CHECK(area(union_of(std::vector<Rle>{a, b})) == 28);
  CHECK(union_of(std::vector<Rle>{a}) == a);
  CHECK_THROWS_AS(union_of(std::vector<Rle>{}), ValueError);
  CHECK_THROWS_AS(union_of(std::vector<Rle>{a, Rle{2, 2, {4}}}), ValueError);
}
