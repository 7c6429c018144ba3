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

// A side, walked from its lower end to the other one by one step of the grid along its longer axis,
// so that both directions of a side pass the same points.
class Side {
 public:
  Side(Point a, Point b) {
    const int64_t dx = std::abs(b.x - a.x), dy = std::abs(b.y - a.y);
    along_x_ = dx >= dy;
    steps_ = std::max(dx, dy);
    const bool turned = along_x_ ? a.x > b.x : a.y > b.y;
    from_ = turned ? b : a;
    const Point to = turned ? a : b;
    slope_ = steps_ == 0 ? 0
                         : static_cast<double>(along_x_ ? to.y - from_.y : to.x - from_.x) /
                               static_cast<double>(steps_);
  }
  int64_t x(int64_t t) const { return along_x_ ? from_.x + t : across(from_.x, t); }
  int64_t y(int64_t t) const { return along_x_ ? across(from_.y, t) : from_.y + t; }

  // Calls f(column, y) for the pixel columns 0 .. width - 1 whose centre is crossed, with the upper
  // of the two grid points at the crossing. Columns are sought, not steps walked: a side may be a
  // million times longer than its image.
  template <class F>
  void for_each_crossing(int64_t width, F&& f) const {
    const int64_t begin = x(0), end = x(steps_), low = std::min(begin, end),
                  high = std::max(begin, end);
    if (high < kGrid / 2 + 1) return;
    // Column k is crossed between the grid columns 5 k + 2 and 5 k + 3.
    const int64_t first = std::max<int64_t>(0, (low + kGrid / 2) / kGrid),
                  last = std::min(width - 1, (high - kGrid / 2 - 1) / kGrid);
    for (int64_t column = first; column <= last; ++column) {
      const int64_t left = kGrid * column + kGrid / 2, t = step_beyond(left, begin < end);
      f(column, std::min(y(t - 1), y(t)));
    }
  }

 private:
  int64_t across(int64_t start, int64_t t) const {
    return static_cast<int64_t>(static_cast<double>(start) +
                                (slope_ * static_cast<double>(t) + 0.5));
  }
  // The first step that lies, seen from the begin, beyond the line between `left` and `left + 1`.
  int64_t step_beyond(int64_t left, bool rising) const {
    int64_t low = 0, high = steps_;  // not beyond, beyond
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      ((x(middle) > left) == rising ? high : low) = middle;
    }
    return high;
  }

  Point from_{};
  int64_t steps_ = 0;
  double slope_ = 0;
  bool along_x_ = true;
};

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
  std::vector<int64_t> changes;
  for (size_t i = 0; i < points.size(); ++i)
    Side(points[i], points[(i + 1) % points.size()])
        .for_each_crossing(width, [&](int64_t column, int64_t at) {
          const double y = std::ceil(std::clamp(in_pixels(at), 0., static_cast<double>(height)));
          changes.push_back(column * height + static_cast<int64_t>(y));
        });
  return from_changes(std::move(changes), height, width);
}

}  // namespace cytograd::detection
