#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "cytograd/core/error.h"
#include "cytograd/detection/rle.h"

namespace cytograd::detection {
namespace {

constexpr int64_t kGrid = 5;  // steps per pixel

struct Point {
  int64_t x, y;
};

// Appends the grid points of a side from a to b, one for each step along its longer axis.
void draw_side(Point a, Point b, std::vector<Point>& out) {
  const int64_t dx = std::abs(b.x - a.x), dy = std::abs(b.y - a.y), steps = std::max(dx, dy);
  const bool along_x = dx >= dy;
  // Both directions of a side pass the same points: it is walked from its lower end.
  const bool turned = along_x ? a.x > b.x : a.y > b.y;
  const Point from = turned ? b : a, to = turned ? a : b;
  const double slope = steps == 0 ? 0
                                  : static_cast<double>(along_x ? to.y - from.y : to.x - from.x) /
                                        static_cast<double>(steps);
  for (int64_t i = 0; i <= steps; ++i) {
    const int64_t t = turned ? steps - i : i;
    const double across = slope * static_cast<double>(t) + 0.5;
    if (along_x)
      out.push_back({from.x + t, static_cast<int64_t>(static_cast<double>(from.y) + across)});
    else
      out.push_back({static_cast<int64_t>(static_cast<double>(from.x) + across), from.y + t});
  }
}

// A grid coordinate in pixels, counted between pixel centres.
double in_pixels(int64_t at) { return (static_cast<double>(at) + 0.5) / kGrid - 0.5; }

// Run lengths from the places, column by column, where the mask changes.
Rle from_changes(std::vector<int64_t> changes, int64_t height, int64_t width) {
  changes.push_back(height * width);
  std::sort(changes.begin(), changes.end());
  Rle out{height, width, {}};
  int64_t at = 0;
  bool inside = false, inside_of_last = true;  // so that the first run is one of background
  for (const int64_t change : changes) {
    if (change > at) {
      // Two changes at one place are none: the run goes on.
      if (!out.counts.empty() && inside == inside_of_last) {
        out.counts.back() += static_cast<uint32_t>(change - at);
      } else {
        if (out.counts.empty() && inside) out.counts.push_back(0);
        out.counts.push_back(static_cast<uint32_t>(change - at));
      }
      inside_of_last = inside;
      at = change;
    }
    inside = !inside;
  }
  return out;
}

}  // namespace

Rle union_of(std::span<const Rle> masks) {
  check<ValueError>(!masks.empty(), "union_of", "expects at least one mask");
  std::vector<uint8_t> all = decode_mask(masks[0]);
  for (const Rle& mask : masks.subspan(1)) {
    check<ValueError>(mask.height == masks[0].height && mask.width == masks[0].width, "union_of",
                      "expects masks of one size, got ", mask.height, " x ", mask.width, " and ",
                      masks[0].height, " x ", masks[0].width);
    const std::vector<uint8_t> more = decode_mask(mask);
    for (size_t i = 0; i < all.size(); ++i) all[i] |= more[i];
  }
  return encode_mask(all, masks[0].height, masks[0].width);
}

Rle rle_from_polygon(std::span<const double> corners, int64_t height, int64_t width) {
  constexpr const char* op = "rle_from_polygon";
  check<ValueError>(corners.size() % 2 == 0, op, "expects x and y of each corner, got ",
                    corners.size(), " values");
  std::vector<Point> points;
  for (size_t i = 0; i < corners.size(); i += 2) {
    for (const double v : corners.subspan(i, 2))
      check<ValueError>(std::abs(v) <= 0x1p26, op, "expects coordinates up to 2^26, got ", v);
    points.push_back({static_cast<int64_t>(kGrid * corners[i] + 0.5),
                      static_cast<int64_t>(kGrid * corners[i + 1] + 0.5)});
  }
  std::vector<Point> outline;
  for (size_t i = 0; i < points.size(); ++i)
    draw_side(points[i], points[(i + 1) % points.size()], outline);
  std::vector<int64_t> changes;
  for (size_t i = 1; i < outline.size(); ++i) {
    const Point &a = outline[i - 1], &b = outline[i];
    if (a.x == b.x) continue;
    // Between these two a column of the grid is crossed; those through pixel centres count.
    const double x = in_pixels(std::min(a.x, b.x));
    if (x < 0 || x > static_cast<double>(width - 1) || x != std::floor(x)) continue;
    const double y =
        std::ceil(std::clamp(in_pixels(std::min(a.y, b.y)), 0., static_cast<double>(height)));
    changes.push_back(static_cast<int64_t>(x) * height + static_cast<int64_t>(y));
  }
  return from_changes(std::move(changes), height, width);
}

}  // namespace cytograd::detection
