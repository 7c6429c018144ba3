#include "cytograd/multimodal/morphology.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/synth/cells.h"
#include "multimodal/morphology_shape.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::multimodal;
using detection::BinaryMask;
using test::check_op_error;

namespace {

constexpr int64_t side = 128;
using Inside = std::function<bool(double y, double x)>;

Inside disk(double cy, double cx, double radius) {
  return [=](double y, double x) {
    return (y - cy) * (y - cy) + (x - cx) * (x - cx) <= radius * radius;
  };
}

std::vector<uint8_t> drawn(const Inside& inside, int64_t size = side) {
  std::vector<uint8_t> out;
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x)
      out.push_back(inside(static_cast<double>(y), static_cast<double>(x)) ? 1 : 0);
  return out;
}

struct Picture {
  std::vector<float> rgb, mask;
};

// Nucleus of green 0.2, cytoplasm of 0.7, the rest 0: darker than any nucleus, and to be ignored.
Picture picture(const Inside& cell, const Inside& nucleus) {
  Picture out;
  const std::vector<uint8_t> in_cell = drawn(cell), in_nucleus = drawn(nucleus);
  for (size_t i = 0; i < in_cell.size(); ++i) {
    const float green = !in_cell[i] ? 0.F : in_nucleus[i] ? 0.2F : 0.7F;
    out.rgb.insert(out.rgb.end(), {0.9F, green, 0.8F});
    out.mask.push_back(in_cell[i] ? 0.9F : 0.2F);
  }
  return out;
}

Morphology measured(const Picture& p) { return measure_morphology(p.rgb, p.mask, side); }

Picture picture_of(const synth::CellPicture& cell) {
  Picture out;
  for (const uint8_t v : cell.image.pixels) out.rgb.push_back(static_cast<float>(v) / 255);
  for (const uint8_t v : cell.mask.pixels) out.mask.push_back(v >= 128 ? 1.F : 0.F);
  return out;
}

// Of 20 drawn cells.
Morphology median_of(synth::CellClass kind, int domain = 0) {
  std::array<std::vector<double>, 6> all;
  for (uint64_t k = 0; k < 20; ++k) {
    const auto values = measured(picture_of(synth::draw_cell({kind, domain, 5, k}))).values();
    for (size_t i = 0; i < 6; ++i) all[i].push_back(values[i]);
  }
  std::array<double, 6> middle{};
  for (size_t i = 0; i < 6; ++i) {
    std::sort(all[i].begin(), all[i].end());
    middle[i] = (all[i][9] + all[i][10]) / 2;
  }
  return {middle[0], middle[1], middle[2], middle[3], middle[4], middle[5]};
}

}  // namespace

TEST_CASE("morphology: a round cell with a round nucleus") {
  const Picture p = picture(disk(64, 64, 50), disk(60, 66, 25));
  const Morphology m = measured(p);
  CHECK(std::abs(m.nucleus_area - 0.25) <= 0.02 * 0.25);
  CHECK(m.lobes == 1);
  CHECK(m.solidity == 1);
  CHECK(std::abs(m.cell_area - std::acos(-1.0) * 2500) <= 0.01 * 7854);
  CHECK(std::abs(m.basophilia - 0.3) <= 1e-6);
  CHECK(std::abs(m.granularity) <= 1e-6);  // even cytoplasm, whatever its shape
  CHECK(nucleus_of(p.rgb, p.mask, side) == drawn(disk(60, 66, 25)));
  CHECK(measure_morphology(p.rgb, p.mask, side, 0.5).cell_area == 0.25 * m.cell_area);
}

TEST_CASE("morphology: lobes joined by a thread, a band, a ring") {
  const Inside cell = disk(64, 64, 55);
  const Inside a = disk(40, 64, 14), b = disk(78, 46, 14), c = disk(78, 84, 14);
  const Inside thread = [](double y, double x) {
    return (std::abs(y - 78) <= 1 && x >= 46 && x <= 84) ||
           (std::abs(x - 64) <= 1 && y >= 40 && y <= 78);
  };
  const Morphology lobed = measured(picture(
      cell, [&](double y, double x) { return a(y, x) || b(y, x) || c(y, x) || thread(y, x); }));
  CHECK(lobed.lobes == 3);
  CHECK(lobed.solidity < 0.8);
  const Morphology apart =
      measured(picture(cell, [&](double y, double x) { return a(y, x) || b(y, x) || c(y, x); }));
  CHECK(apart.lobes == 3);
  const Inside outer = disk(64, 64, 35), inner = disk(64, 64, 15);
  const Morphology band = measured(picture(cell, [&](double y, double x) {
    return outer(y, x) && !inner(y, x) && !(x > 64 && std::abs(y - 64) < 15);
  }));
  CHECK(band.lobes == 1);
  CHECK(band.solidity < 0.85);
  const Picture ring =
      picture(cell, [&](double y, double x) { return outer(y, x) && !inner(y, x); });
  CHECK(nucleus_of(ring.rgb, ring.mask, side) == drawn(outer));
  CHECK(measured(ring).lobes == 1);
  CHECK(measured(ring).solidity == 1);
}

TEST_CASE("morphology: specks are no nucleus, and grains are granularity") {
  const Inside cell = disk(64, 64, 50), nucleus = disk(64, 50, 20);
  const Inside speck = disk(64, 100, 3);  // 29 of 7845 pixels
  const Picture p = picture(cell, [&](double y, double x) { return nucleus(y, x) || speck(y, x); });
  CHECK(nucleus_of(p.rgb, p.mask, side) == drawn(nucleus));
  const Inside patch = disk(64, 90, 8);  // 197 pixels: kept
  const Picture q = picture(cell, [&](double y, double x) { return nucleus(y, x) || patch(y, x); });
  CHECK(measured(q).nucleus_area > measured(p).nucleus_area + 0.02);
  // Single dark pixels at every sixth place of the cytoplasm: their surplus is all the granularity.
  Picture grains = picture(cell, nucleus);
  double surplus = 0, all = 0;
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x) {
      const auto i = static_cast<size_t>(y * side + x);
      if (grains.rgb[3 * i + 1] < 0.6F) continue;
      all += 0.3;
      if (y % 6 != 0 || x % 6 != 0) continue;
      grains.rgb[3 * i + 1] -= 0.1F;
      surplus += 0.1;
    }
  CHECK(std::abs(measured(grains).granularity - surplus / (all + surplus)) <= 1e-6);
}

TEST_CASE("morphology: what is not there has no value") {
  const Inside cell = disk(64, 64, 50), none = [](double, double) { return false; };
  const Morphology empty = measured(picture(none, none));
  for (const double v : empty.values()) CHECK(std::isnan(v));
  const Morphology even = measured(picture(cell, none));
  CHECK(std::isnan(even.nucleus_area));
  CHECK(std::isnan(even.lobes));
  CHECK(std::isnan(even.solidity));
  CHECK(even.cell_area > 7000);
  CHECK(std::abs(even.basophilia - 0.3) <= 1e-6);
  CHECK(std::abs(even.granularity) <= 1e-6);
  // The cell's rim is the nucleus, so that all of the cell is once holes are filled.
  const Inside inner = disk(64, 64, 40);
  const Morphology full = measured(picture(cell, [&](double y, double x) { return !inner(y, x); }));
  CHECK(full.nucleus_area == 1);
  CHECK(std::isnan(full.basophilia));
  CHECK(std::isnan(full.granularity));
}

TEST_CASE("morphology: drawn cells mature as they should") {
  using synth::CellClass;
  for (const int domain : {0, 2}) {
    CAPTURE(domain);
    const Morphology blast = median_of(CellClass::blast, domain),
                     myelocyte = median_of(CellClass::myelocyte, domain),
                     segmented = median_of(CellClass::segmented, domain),
                     eosinophil = median_of(CellClass::eosinophil, domain),
                     lymphocyte = median_of(CellClass::lymphocyte, domain);
    CHECK(myelocyte.lobes == 1);
    CHECK(segmented.lobes >= 2.5);
    CHECK(segmented.nucleus_area < myelocyte.nucleus_area);
    CHECK(myelocyte.nucleus_area < blast.nucleus_area);
    CHECK(segmented.solidity < blast.solidity - 0.1);
    // Under other stains the blurred rim of a lymphocyte's nucleus counts for as much.
    if (domain == 0) CHECK(eosinophil.granularity > lymphocyte.granularity);
    CHECK(blast.basophilia > segmented.basophilia);
  }
}

TEST_CASE("morphology: the nucleus found is the nucleus drawn") {
  using synth::CellClass;
  for (const CellClass kind : {CellClass::blast, CellClass::band, CellClass::segmented}) {
    double in_both = 0, in_either = 0;
    for (uint64_t k = 0; k < 10; ++k) {
      const synth::CellPicture cell = synth::draw_cell({kind, 0, 5, k});
      const Picture p = picture_of(cell);
      const std::vector<uint8_t> found = nucleus_of(p.rgb, p.mask, side);
      for (size_t i = 0; i < found.size(); ++i) {
        const bool drawn_there = cell.mask.pixels[i] == 255;
        in_both += drawn_there && found[i] ? 1 : 0;
        in_either += drawn_there || found[i] ? 1 : 0;
      }
    }
    CAPTURE(synth::name(kind));
    CHECK(in_both / in_either > 0.8);
  }
}

TEST_CASE("morphology: distances and hulls beside the plain way") {
  Rng rng(3, "shapes");
  for (int round = 0; round < 6; ++round) {
    BinaryMask mask{13, 17, {}};
    const double share = 0.15 + 0.16 * round;
    for (int64_t i = 0; i < 13 * 17; ++i) mask.values.push_back(rng.chance(share) ? 1 : 0);
    const std::vector<double> fast = squared_distance(mask);
    for (int64_t y = 0; y < 13; ++y)
      for (int64_t x = 0; x < 17; ++x) {
        int64_t nearest = std::numeric_limits<int64_t>::max();
        for (int64_t v = -1; v <= 13; ++v)
          for (int64_t u = -1; u <= 17; ++u) {
            const bool outside = v < 0 || u < 0 || v == 13 || u == 17;
            if (outside || !mask.values[static_cast<size_t>(v * 17 + u)])
              nearest = std::min(nearest, (v - y) * (v - y) + (u - x) * (u - x));
          }
        CHECK(fast[static_cast<size_t>(y * 17 + x)] == static_cast<double>(nearest));
      }
  }
  const auto hull_of = [](const std::vector<uint8_t>& values, int64_t height, int64_t width) {
    return hull_pixels({height, width, values});
  };
  CHECK(hull_of({0, 0, 0, 0}, 2, 2) == 0);
  CHECK(hull_of({0, 1, 0, 0}, 2, 2) == 1);
  CHECK(hull_of({1, 0, 0, 0, 1}, 1, 5) == 5);
  CHECK(hull_of({1, 0, 0, 0, 0, 0, 0, 0, 1}, 3, 3) == 3);
  CHECK(hull_of({1, 0, 1, 0, 0, 0, 1, 0, 1}, 3, 3) == 9);
  CHECK(hull_of({1, 1, 1, 1, 0, 0, 1, 0, 0}, 3, 3) == 6);  // an L: the triangle of its ends
  const std::vector<uint8_t> round = drawn(disk(20, 21, 17.3), 42);
  CHECK(hull_of(round, 42, 42) == std::count(round.begin(), round.end(), 1));
}

TEST_CASE("morphology: sizes that disagree, numbers that are none") {
  const std::vector<float> rgb(12, 0.5F), mask(4, 1.F);
  check_op_error<ValueError>([&] { measure_morphology(rgb, mask, 0); },
                             "measure_morphology: side expects at least 1 pixel, got 0");
  check_op_error<ValueError>([&] { measure_morphology(rgb, mask, 3); },
                             "measure_morphology: mask expects 3 x 3 values, got 4");
  check_op_error<ValueError>([&] { nucleus_of(mask, mask, 2); },
                             "nucleus_of: rgb expects 2 x 2 x 3 values, got 4");
  check_op_error<ValueError>([&] { measure_morphology(rgb, mask, 2, 0); },
                             "measure_morphology: microns_per_pixel expects a number > 0, got 0");
  std::vector<float> bad = rgb;
  bad[4] = std::numeric_limits<float>::quiet_NaN();
  check_op_error<ValueError>(
      [&] { measure_morphology(bad, mask, 2); },
      "measure_morphology: expects finite values, got green nan and mask 1 at pixel 1");
}
