#include "cytograd/detection/instance.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "cytograd/core/error.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

BinaryMask drawn(const std::vector<std::string>& rows) {
  BinaryMask out{static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size()), {}};
  for (const std::string& row : rows)
    for (const char c : row) out.values.push_back(c == '#' ? 1 : 0);
  return out;
}

}  // namespace

TEST_CASE("the cell of a crop") {
  const std::vector<Box> boxes{{0, 0, 90, 90}, {100, 100, 180, 180}, {120, 120, 200, 190}};
  CHECK(choose_instance(boxes, {.99f, .6f, .8f}, .5f, 288, 288) == 2);  // of those on the centre
  CHECK(choose_instance(boxes, {.99f, .4f, .3f}, .5f, 288, 288) == 0);
  CHECK_FALSE(choose_instance(boxes, {.4f, .4f, .3f}, .5f, 288, 288).has_value());
  CHECK_FALSE(choose_instance({}, {}, .5f, 288, 288).has_value());
  // None on the centre: the nearest, then the better.
  const std::vector<Box> aside{{0, 0, 90, 90}, {150, 150, 170, 170}, {118, 118, 138, 138}};
  CHECK(choose_instance(aside, {.99f, .6f, .7f}, .5f, 288, 288) == 2);
  CHECK(choose_instance(aside, {.99f, .7f, .6f}, .5f, 288, 288) == 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(choose_instance(boxes, {nan, .6f, nan}, .5f, 288, 288) == 1);
  CHECK_THROWS_AS(choose_instance(boxes, {.5f}, .5f, 288, 288), ValueError);
}

TEST_CASE("the largest part of a mask") {
  BinaryMask mask = drawn({"##..#",  //
                           "#...#",  //
                           "...#.",  //
                           "#...."});
  CHECK(keep_largest_part(mask) == 3);
  CHECK(mask.values == drawn({"##...", "#....", ".....", "....."}).values);  // the first of equals
  mask = drawn({"##..#", "....#", "...#.", "....."});
  CHECK(keep_largest_part(mask) == 2);
  CHECK(mask.values == drawn({"....#", "....#", "...#.", "....."}).values);  // over the corner
  mask = drawn({"...", "..."});
  CHECK(keep_largest_part(mask) == 0);
  CHECK(mask.values == std::vector<uint8_t>(6, 0));
  mask = {0, 3, {}};
  CHECK(keep_largest_part(mask) == 0);
  mask = {2, 2, {1}};
  CHECK_THROWS_AS(keep_largest_part(mask), ValueError);
}

TEST_CASE("holes of a mask") {
  BinaryMask mask = drawn({"####.",  //
                           "#..#.",  //
                           "#.##.",  //
                           "##..."});
  CHECK(fill_holes(mask) == 3);
  CHECK(mask.values == drawn({"####.", "####.", "####.", "##..."}).values);
  mask = drawn({"###", "#.#", "#.#"});  // open at the border
  CHECK(fill_holes(mask) == 0);
  mask = drawn({"###", "#.#", "##."});  // a corner is no way out
  CHECK(fill_holes(mask) == 1);
}
