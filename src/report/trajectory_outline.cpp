#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "cytograd/core/error.h"
#include "report/svg.h"
#include "report/trajectory_parts.h"

namespace cytograd::trajectory {
namespace {

constexpr float level = 0.5F;

// Marching squares between the centres of pixels, with a border of zeros so that loops close.
class Squares {
 public:
  Squares(const std::vector<float>& mask, int64_t side) : mask_(mask), side_(side) {
    for (int64_t y = -1; y < side; ++y)
      for (int64_t x = -1; x < side; ++x) add(y, x);
  }

  // The loops, each a list of edges.
  std::vector<std::vector<int64_t>> loops() {
    std::vector<std::vector<int64_t>> out;
    while (!next_.empty()) {
      out.emplace_back();
      auto at = next_.begin();
      while (at != next_.end()) {
        out.back().push_back(at->first);
        const int64_t to = at->second;
        next_.erase(at);
        at = next_.find(to);
      }
    }
    return out;
  }

  // Where an edge crosses the level, in pixels.
  std::array<double, 2> place(int64_t edge) const {
    const int64_t corner = edge / 2, y = corner / (side_ + 2) - 1, x = corner % (side_ + 2) - 1;
    const bool down = edge % 2 == 1;
    const double a = value(y, x), b = down ? value(y + 1, x) : value(y, x + 1);
    const double share = (level - a) / (b - a);
    return {static_cast<double>(x) + 0.5 + (down ? 0 : share),
            static_cast<double>(y) + 0.5 + (down ? share : 0)};
  }

 private:
  float value(int64_t y, int64_t x) const {
    if (y < 0 || x < 0 || y >= side_ || x >= side_) return 0;
    const float v = mask_[static_cast<size_t>(y * side_ + x)];
    return std::isfinite(v) ? v : 0;
  }
  int64_t edge(int64_t y, int64_t x, bool down) const {
    return 2 * ((y + 1) * (side_ + 2) + x + 1) + (down ? 1 : 0);
  }
  void add(int64_t y, int64_t x) {
    const int64_t top = edge(y, x, false), left = edge(y, x, true), right = edge(y, x + 1, true),
                  bottom = edge(y + 1, x, false);
    const auto in = [&](int64_t r, int64_t c) { return value(r, c) >= level ? 1 : 0; };
    // Segments keep the inside on one hand, so that ends meet beginnings.
    switch (8 * in(y, x) + 4 * in(y, x + 1) + 2 * in(y + 1, x + 1) + in(y + 1, x)) {
      case 1:
        next_[bottom] = left;
        break;
      case 2:
        next_[right] = bottom;
        break;
      case 3:
        next_[right] = left;
        break;
      case 4:
        next_[top] = right;
        break;
      case 5:
        next_[top] = right, next_[bottom] = left;
        break;
      case 6:
        next_[top] = bottom;
        break;
      case 7:
        next_[top] = left;
        break;
      case 8:
        next_[left] = top;
        break;
      case 9:
        next_[bottom] = top;
        break;
      case 10:
        next_[left] = top, next_[right] = bottom;
        break;
      case 11:
        next_[right] = top;
        break;
      case 12:
        next_[left] = right;
        break;
      case 13:
        next_[bottom] = right;
        break;
      case 14:
        next_[left] = bottom;
        break;
      default:
        break;
    }
  }

  const std::vector<float>& mask_;
  int64_t side_;
  std::map<int64_t, int64_t> next_;  // from the edge where a segment begins to where it ends
};

}  // namespace

std::string outline_path(const std::vector<float>& mask, int64_t side, double x, double y,
                         double scale) {
  check<ShapeError>(static_cast<int64_t>(mask.size()) == side * side, "outline_path",
                    "expects a mask of ", side, " x ", side, ", got ", mask.size(), " values");
  Squares squares(mask, side);
  std::string out;
  for (const std::vector<int64_t>& loop : squares.loops()) {
    if (loop.size() < 8) continue;  // specks
    char command = 'M';
    for (size_t i = 0; i < loop.size(); i += 2) {  // half of the points are smooth enough
      const auto p = squares.place(loop[i]);
      out += command + svg::number(x + scale * p[0]) + " " + svg::number(y + scale * p[1]);
      command = 'L';
    }
    out += 'Z';
  }
  return out;
}

}  // namespace cytograd::trajectory
