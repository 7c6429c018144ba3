#include "multimodal/morphology_shape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

namespace cytograd::multimodal {
namespace {

using detection::BinaryMask;

// f(i, neighbour) over the eight neighbours of pixel i inside the image.
template <class F>
void for_neighbours(int64_t at, int64_t height, int64_t width, const F& f) {
  const int64_t y = at / width, x = at % width;
  for (int64_t ny = std::max<int64_t>(0, y - 1); ny <= std::min(height - 1, y + 1); ++ny)
    for (int64_t nx = std::max<int64_t>(0, x - 1); nx <= std::min(width - 1, x + 1); ++nx)
      if (ny != y || nx != x) f(static_cast<size_t>(ny * width + nx));
}

// Lower envelope of the parabolas (x - i)^2 + f[i]; infinite f have none.
void distance_along_line(std::span<const double> f, std::span<double> out,
                         std::vector<size_t>& centre, std::vector<double>& from) {
  centre.clear();
  from.clear();
  for (size_t i = 0; i < f.size(); ++i) {
    if (std::isinf(f[i])) continue;
    const auto x = static_cast<double>(i);
    double begin = -std::numeric_limits<double>::infinity();
    while (!centre.empty()) {
      const auto v = static_cast<double>(centre.back());
      begin = ((f[i] + x * x) - (f[centre.back()] + v * v)) / (2 * x - 2 * v);
      if (begin > from.back()) break;
      centre.pop_back();
      from.pop_back();
      begin = -std::numeric_limits<double>::infinity();
    }
    centre.push_back(i);
    from.push_back(begin);
  }
  size_t k = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    if (centre.empty()) {
      out[i] = std::numeric_limits<double>::infinity();
      continue;
    }
    const auto x = static_cast<double>(i);
    while (k + 1 < centre.size() && from[k + 1] <= x) ++k;
    const double d = x - static_cast<double>(centre[k]);
    out[i] = d * d + f[centre[k]];
  }
}

BinaryMask padded(const BinaryMask& mask, int64_t rim) {
  BinaryMask out{mask.height + 2 * rim, mask.width + 2 * rim, {}};
  out.values.assign(static_cast<size_t>(out.height * out.width), 0);
  for (int64_t y = 0; y < mask.height; ++y)
    std::copy_n(mask.values.begin() + y * mask.width, mask.width,
                out.values.begin() + (y + rim) * out.width + rim);
  return out;
}

// Along rows (step 1) or columns; outside is 0.
std::vector<double> smoothed(const std::vector<double>& values, int64_t height, int64_t width,
                             bool rows, const std::vector<double>& weights) {
  const auto radius = static_cast<int64_t>(weights.size() / 2);
  const int64_t length = rows ? width : height, step = rows ? 1 : width;
  std::vector<double> out(values.size());
  for (int64_t i = 0; i < height * width; ++i) {
    const int64_t place = rows ? i % width : i / width;
    double sum = 0;
    for (int64_t d = std::max(-radius, -place); d <= std::min(radius, length - 1 - place); ++d)
      sum += weights[static_cast<size_t>(d + radius)] * values[static_cast<size_t>(i + d * step)];
    out[static_cast<size_t>(i)] = sum;
  }
  return out;
}

std::vector<double> gaussian(double sigma) {
  const auto radius = static_cast<int64_t>(std::ceil(4 * sigma));
  std::vector<double> weights;
  for (int64_t d = -radius; d <= radius; ++d)
    weights.push_back(std::exp(-static_cast<double>(d * d) / (2 * sigma * sigma)));
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& w : weights) w /= sum;
  return weights;
}

// Maxima whose height above the highest pass to a higher maximum is more than h. Pixels enter from
// the highest down; where two hills meet, the lower one ends.
int64_t count_peaks(const std::vector<double>& map, int64_t height, int64_t width, double h) {
  std::vector<size_t> order(map.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return map[a] > map[b]; });
  const size_t none = map.size();
  std::vector<size_t> parent(map.size(), none);  // of the hills; a root is the hill's summit
  const auto root = [&parent](size_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  int64_t peaks = 0;
  for (const size_t at : order) {
    if (map[at] <= 0) break;
    parent[at] = at;
    for_neighbours(static_cast<int64_t>(at), height, width, [&](size_t next) {
      if (parent[next] == none) return;
      size_t high = root(at), low = root(next);
      if (high == low) return;
      if (map[high] < map[low]) std::swap(high, low);
      if (map[low] - map[at] > h) ++peaks;
      parent[low] = high;
    });
  }
  // Hills that met no other stand on the background.
  for (size_t i = 0; i < parent.size(); ++i)
    if (parent[i] == i && map[i] > h) ++peaks;
  return peaks;
}

struct Point {
  int64_t x, y;
};

int64_t cross(const Point& o, const Point& a, const Point& b) {
  return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

// One of the two chains of the monotone-chain algorithm (Andrew 1979), its last point left out.
template <class Iterator>
void add_chain(Iterator begin, Iterator end, std::vector<Point>& hull) {
  const size_t first = hull.size();
  for (Iterator p = begin; p != end; ++p) {
    while (hull.size() >= first + 2 && cross(hull[hull.size() - 2], hull.back(), *p) <= 0)
      hull.pop_back();
    hull.push_back(*p);
  }
  hull.pop_back();
}

}  // namespace

void remove_small_parts(BinaryMask& mask, double least) {
  std::vector<uint8_t> seen(mask.values.size(), 0);
  for (size_t first = 0; first < seen.size(); ++first) {
    if (!mask.values[first] || seen[first]) continue;
    std::vector<size_t> part{first};
    seen[first] = 1;
    for (size_t i = 0; i < part.size(); ++i)
      for_neighbours(static_cast<int64_t>(part[i]), mask.height, mask.width, [&](size_t next) {
        if (!mask.values[next] || seen[next]) return;
        seen[next] = 1;
        part.push_back(next);
      });
    if (static_cast<double>(part.size()) >= least) continue;
    for (const size_t i : part) mask.values[i] = 0;
  }
}

std::vector<double> squared_distance(const BinaryMask& mask) {
  const BinaryMask wide = padded(mask, 1);
  const auto height = static_cast<size_t>(wide.height), width = static_cast<size_t>(wide.width);
  std::vector<double> columns(height * width), line(height), out_line(height);
  std::vector<size_t> centre;
  std::vector<double> from;
  for (size_t x = 0; x < width; ++x) {
    for (size_t y = 0; y < height; ++y)
      line[y] = wide.values[y * width + x] ? std::numeric_limits<double>::infinity() : 0;
    distance_along_line(line, out_line, centre, from);
    for (size_t y = 0; y < height; ++y) columns[y * width + x] = out_line[y];
  }
  std::vector<double> out(mask.values.size()), row(width);
  for (size_t y = 1; y + 1 < height; ++y) {
    distance_along_line({columns.data() + y * width, width}, row, centre, from);
    std::copy_n(row.begin() + 1, width - 2,
                out.begin() + static_cast<int64_t>((y - 1) * (width - 2)));
  }
  return out;
}

int64_t count_lobes(const BinaryMask& mask, double sigma, double share) {
  const std::vector<double> weights = gaussian(sigma);
  // So much that smoothing near the border sees the background.
  const BinaryMask wide = padded(mask, static_cast<int64_t>(weights.size() / 2) + 1);
  std::vector<double> map = squared_distance(wide);
  for (double& d : map) d = std::sqrt(d);
  map = smoothed(map, wide.height, wide.width, true, weights);
  map = smoothed(map, wide.height, wide.width, false, weights);
  return count_peaks(map, wide.height, wide.width,
                     share * *std::max_element(map.begin(), map.end()));
}

int64_t hull_pixels(const BinaryMask& mask) {
  std::vector<Point> points;  // by x, then y
  for (int64_t x = 0; x < mask.width; ++x)
    for (int64_t y = 0; y < mask.height; ++y)
      if (mask.values[static_cast<size_t>(y * mask.width + x)]) points.push_back({x, y});
  if (points.size() < 2) return static_cast<int64_t>(points.size());
  std::vector<Point> hull;
  add_chain(points.begin(), points.end(), hull);
  add_chain(points.rbegin(), points.rend(), hull);
  // Pick's theorem: 2 area = 2 inner points + points on the border - 2.
  int64_t twice_area = 0, border = 0;
  for (size_t i = 0; i < hull.size(); ++i) {
    const Point &a = hull[i], &b = hull[(i + 1) % hull.size()];
    twice_area += a.x * b.y - a.y * b.x;
    border += std::gcd(b.x - a.x, b.y - a.y);
  }
  return (std::abs(twice_area) + border) / 2 + 1;
}

std::vector<double> opened(const std::vector<double>& values, const BinaryMask& domain,
                           int64_t radius) {
  const auto over_disk = [&](const std::vector<double>& from, double start, const auto& better) {
    std::vector<double> out(from.size(), 0);
    for (int64_t at = 0; at < domain.height * domain.width; ++at) {
      if (!domain.values[static_cast<size_t>(at)]) continue;
      const int64_t y = at / domain.width, x = at % domain.width;
      double best = start;
      for (int64_t dy = -radius; dy <= radius; ++dy)
        for (int64_t dx = -radius; dx <= radius; ++dx) {
          const int64_t ny = y + dy, nx = x + dx;
          if (dy * dy + dx * dx > radius * radius || ny < 0 || nx < 0 || ny >= domain.height ||
              nx >= domain.width)
            continue;
          const auto next = static_cast<size_t>(ny * domain.width + nx);
          if (domain.values[next]) best = better(best, from[next]);
        }
      out[static_cast<size_t>(at)] = best;
    }
    return out;
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const auto eroded =
      over_disk(values, infinity, [](double a, double b) { return std::min(a, b); });
  return over_disk(eroded, -infinity, [](double a, double b) { return std::max(a, b); });
}

}  // namespace cytograd::multimodal
