#include "cytograd/detection/tiles.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cytograd/core/error.h"

namespace cytograd::detection {
namespace {

// Where tiles of one axis begin.
std::vector<int64_t> starts(int64_t length, int64_t side, double overlap) {
  if (side == 0 || length <= side) return {0};
  const int64_t step = std::max<int64_t>(
      1, static_cast<int64_t>(std::floor(static_cast<double>(side) * (1 - overlap))));
  const int64_t room = length - side, gaps = (room + step - 1) / step;
  std::vector<int64_t> out;
  for (int64_t i = 0; i <= gaps; ++i) out.push_back(room * i / gaps);
  return out;
}

Box box_of(const Tile& t) {
  return {static_cast<float>(t.x), static_cast<float>(t.y), static_cast<float>(t.x + t.width),
          static_cast<float>(t.y + t.height)};
}

Box common(const Box& a, const Box& b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

double size_of(const Box& b) {
  return b.width() > 0 && b.height() > 0 ? static_cast<double>(b.width()) * b.height() : 0;
}

struct Candidate {
  FoundObject object;
  size_t tile;
};

// Pixels in the part of the field that both tiles show.
struct Shared {
  double both = 0, first = 0, second = 0;
};

Shared shared_pixels(const FoundObject& a, const FoundObject& b, const Box& part) {
  if (!a.mask.empty() && !b.mask.empty())
    return {static_cast<double>(intersection(a.mask, b.mask, part)),
            static_cast<double>(area_within(a.mask, part)),
            static_cast<double>(area_within(b.mask, part))};
  return {size_of(common(common(a.box, b.box), part)), size_of(common(a.box, part)),
          size_of(common(b.box, part))};
}

bool same_object(const FoundObject& kept, const FoundObject& next, const Box& part,
                 const TileOptions& options) {
  if (kept.label != next.label || !(size_of(common(common(kept.box, next.box), part)) > 0))
    return false;
  const Shared s = shared_pixels(kept, next, part);
  if (!(s.both > 0)) return false;
  return s.both >= options.same * (s.first + s.second - s.both) ||
         (next.cut && s.both >= options.contained * s.second);
}

// The first pixels of both: joined where neither tile shows the whole object.
void take_in(FoundObject& kept, const FoundObject& next) {
  if (!kept.cut || !next.cut) return;
  kept.box = {std::min(kept.box.x1, next.box.x1), std::min(kept.box.y1, next.box.y1),
              std::max(kept.box.x2, next.box.x2), std::max(kept.box.y2, next.box.y2)};
  kept.mask = joined(kept.mask, next.mask);
  kept.score = std::max(kept.score, next.score);
}

// The objects so far. Findings are compared with those of tiles that meet theirs alone, so that the
// work grows with the field and not with its square.
class Joined {
 public:
  Joined(const std::vector<Tile>& tiles, const TileOptions& options)
      : tiles_(tiles), options_(options), neighbours_(tiles.size()), kept_in_(tiles.size()) {
    for (size_t a = 0; a < tiles.size(); ++a)
      for (size_t b = 0; b < tiles.size(); ++b)
        if (a != b && size_of(common(box_of(tiles[a]), box_of(tiles[b]))) > 0)
          neighbours_[a].push_back(b);
  }

  void add(const Candidate& next) {
    const size_t place = known_as(next);
    if (place < out_.size()) {
      take_in(out_[place], next.object);
    } else {
      out_.push_back(next.object);
      seen_in_.emplace_back();
    }
    seen_in_[place].push_back(next.tile);
    kept_in_[next.tile].push_back(place);
  }
  std::vector<FoundObject> take() { return std::move(out_); }

 private:
  // The first object that this is another finding of; as many as there are if it is none. An
  // object of a tile is not another one of it.
  size_t known_as(const Candidate& next) const {
    size_t best = out_.size();
    for (const size_t tile : neighbours_[next.tile]) {
      const Box part = common(box_of(tiles_[tile]), box_of(tiles_[next.tile]));
      for (const size_t k : kept_in_[tile]) {
        const std::vector<size_t>& seen = seen_in_[k];
        if (k < best && std::find(seen.begin(), seen.end(), next.tile) == seen.end() &&
            same_object(out_[k], next.object, part, options_))
          best = k;
      }
    }
    return best;
  }

  const std::vector<Tile>& tiles_;
  const TileOptions& options_;
  std::vector<std::vector<size_t>> neighbours_;  // of each tile
  std::vector<FoundObject> out_;
  std::vector<std::vector<size_t>> seen_in_;  // tiles of each object
  std::vector<std::vector<size_t>> kept_in_;  // objects of each tile
};

}  // namespace

std::vector<Tile> tile_grid(int64_t height, int64_t width, const TileOptions& options) {
  check<ValueError>(height >= 1 && width >= 1, "tile_grid", "expects a field with pixels, got ",
                    width, " x ", height);
  check<ValueError>(options.side >= 0 && options.overlap >= 0 && options.overlap <= 0.9,
                    "tile_grid", "expects a side >= 0 and an overlap in [0, 0.9], got ",
                    options.side, " and ", options.overlap);
  const int64_t h = options.side == 0 ? height : std::min(height, options.side),
                w = options.side == 0 ? width : std::min(width, options.side);
  std::vector<Tile> out;
  for (const int64_t y : starts(height, options.side, options.overlap))
    for (const int64_t x : starts(width, options.side, options.overlap))
      out.push_back({y, x, h, w});
  return out;
}

bool is_cut(const Box& box, const Tile& tile, int64_t height, int64_t width) {
  const Box edges = box_of(tile);
  return (tile.x > 0 && box.x1 <= edges.x1 + 1) || (tile.y > 0 && box.y1 <= edges.y1 + 1) ||
         (tile.x + tile.width < width && box.x2 >= edges.x2 - 1) ||
         (tile.y + tile.height < height && box.y2 >= edges.y2 - 1);
}

std::vector<FoundObject> merge_tiles(const std::vector<Tile>& tiles,
                                     const std::vector<std::vector<FoundObject>>& found,
                                     int64_t height, int64_t width, const TileOptions& options) {
  check<ValueError>(tiles.size() == found.size(), "merge_tiles", "expects findings of each of ",
                    tiles.size(), " tiles, got ", found.size());
  std::vector<Candidate> all;
  for (size_t t = 0; t < tiles.size(); ++t)
    for (const FoundObject& object : found[t]) {
      all.push_back({object, t});
      all.back().object.cut = is_cut(object.box, tiles[t], height, width);
    }
  std::stable_sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    if (a.object.cut != b.object.cut) return b.object.cut;
    return a.object.score > b.object.score;
  });
  Joined objects(tiles, options);
  for (const Candidate& next : all) objects.add(next);
  std::vector<FoundObject> out = objects.take();
  std::stable_sort(out.begin(), out.end(),
                   [](const FoundObject& a, const FoundObject& b) { return a.score > b.score; });
  return out;
}

std::vector<uint32_t> label_pixels(const std::vector<FoundObject>& objects, int64_t height,
                                   int64_t width) {
  std::vector<uint32_t> out(static_cast<size_t>(height * width), 0);
  std::vector<size_t> order(objects.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // The best is drawn last; of equal ones the first.
  std::stable_sort(order.begin(), order.end(), [&objects](size_t a, size_t b) {
    return objects[a].score != objects[b].score ? objects[a].score < objects[b].score : a > b;
  });
  for (const size_t i : order) {
    const FoundObject& object = objects[i];
    const MaskPiece& m = object.mask;
    const bool boxed = m.empty();
    const Box box = clip(object.box, height, width);
    const int64_t y1 = boxed ? std::llround(box.y1) : m.y, x1 = boxed ? std::llround(box.x1) : m.x,
                  y2 = boxed ? std::llround(box.y2) : m.y + m.height,
                  x2 = boxed ? std::llround(box.x2) : m.x + m.width;
    for (int64_t y = y1; y < y2; ++y)
      for (int64_t x = x1; x < x2; ++x)
        if (boxed || m.values[static_cast<size_t>((y - y1) * m.width + x - x1)] != 0)
          out[static_cast<size_t>(y * width + x)] = static_cast<uint32_t>(i + 1);
  }
  return out;
}

}  // namespace cytograd::detection
