#include "cytograd/detection/mask_piece.h"

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"

namespace cytograd::detection {
namespace {

// A rectangle of whole pixels, ends exclusive.
struct Window {
  int64_t y1 = 0, x1 = 0, y2 = 0, x2 = 0;
};

Window window_of(const MaskPiece& m) { return {m.y, m.x, m.y + m.height, m.x + m.width}; }

Window window_of(const Box& b) {
  return {std::llround(b.y1), std::llround(b.x1), std::llround(b.y2), std::llround(b.x2)};
}

Window common(const Window& a, const Window& b) {
  return {std::max(a.y1, b.y1), std::max(a.x1, b.x1), std::min(a.y2, b.y2), std::min(a.x2, b.x2)};
}

const uint8_t* row_of(const MaskPiece& m, int64_t row) {
  return m.values.data() + (row - m.y) * m.width - m.x;
}

}  // namespace

MaskPiece tight(const MaskPiece& m) {
  Window used{m.height, m.width, 0, 0};
  for (int64_t i = 0; i < m.height; ++i)
    for (int64_t j = 0; j < m.width; ++j) {
      if (m.values[static_cast<size_t>(i * m.width + j)] == 0) continue;
      used = {std::min(used.y1, i), std::min(used.x1, j), std::max(used.y2, i + 1),
              std::max(used.x2, j + 1)};
    }
  if (used.y2 == 0) return {};
  if (used.y1 == 0 && used.x1 == 0 && used.y2 == m.height && used.x2 == m.width) return m;
  MaskPiece out{m.x + used.x1, m.y + used.y1, used.x2 - used.x1, used.y2 - used.y1, {}};
  out.values.reserve(static_cast<size_t>(out.width * out.height));
  for (int64_t i = used.y1; i < used.y2; ++i) {
    const auto row = m.values.begin() + i * m.width;
    out.values.insert(out.values.end(), row + used.x1, row + used.x2);
  }
  return out;
}

MaskPiece piece_of(const PastedMask& soft, float threshold) {
  MaskPiece out{soft.x, soft.y, soft.width, soft.height, {}};
  out.values.reserve(soft.values.size());
  for (const float v : soft.values) out.values.push_back(v >= threshold ? 1 : 0);
  return tight(out);
}

MaskPiece piece_of(const Rle& mask) {
  if (mask.height == 0) return {};
  // Runs of the object: first the rectangle that holds them, then its pixels.
  const auto for_each_run = [&mask](const auto& visit) {
    int64_t at = 0;
    for (size_t k = 0; k < mask.counts.size(); ++k) {
      const int64_t end = at + static_cast<int64_t>(mask.counts[k]);
      // A run over several columns, column by column.
      for (int64_t begin = at; k % 2 == 1 && begin < end;) {
        const int64_t column = begin / mask.height, row = begin % mask.height;
        const int64_t length = std::min(end - begin, mask.height - row);
        visit(column, row, length);
        begin += length;
      }
      at = end;
    }
  };
  Window used{mask.height, mask.width, 0, 0};
  for_each_run([&used](int64_t column, int64_t row, int64_t length) {
    used = {std::min(used.y1, row), std::min(used.x1, column), std::max(used.y2, row + length),
            std::max(used.x2, column + 1)};
  });
  if (used.y2 == 0) return {};
  MaskPiece out{used.x1, used.y1, used.x2 - used.x1, used.y2 - used.y1, {}};
  out.values.assign(static_cast<size_t>(out.width * out.height), 0);
  for_each_run([&out](int64_t column, int64_t row, int64_t length) {
    for (int64_t i = row; i < row + length; ++i)
      out.values[static_cast<size_t>((i - out.y) * out.width + column - out.x)] = 1;
  });
  return out;
}

Rle rle_of(const MaskPiece& m, int64_t height, int64_t width) {
  check<ValueError>(
      m.empty() || (m.x >= 0 && m.y >= 0 && m.x + m.width <= width && m.y + m.height <= height),
      "rle_of", "expects a mask inside ", height, " x ", width, " pixels");
  check<ValueError>(height >= 0 && width >= 0 && (width == 0 || height <= 0xffffffff / width),
                    "rle_of", "expects fewer than 2^32 pixels, got ", height, " x ", width);
  Rle out{height, width, {}};
  int64_t done = 0;  // pixels in finished runs
  bool inside = false;
  const auto change_at = [&](int64_t place) {
    out.counts.push_back(static_cast<uint32_t>(place - done));
    done = place;
    inside = !inside;
  };
  for (int64_t j = 0; j < m.width; ++j) {
    const int64_t column = (m.x + j) * height;
    // Pixels above the rectangle are background.
    if (inside && column + m.y > done && m.y > 0) change_at(column);
    for (int64_t i = 0; i < m.height; ++i) {
      const bool set = m.values[static_cast<size_t>(i * m.width + j)] != 0;
      if (set != inside) change_at(column + m.y + i);
    }
    if (inside && m.y + m.height < height) change_at(column + m.y + m.height);
  }
  const int64_t behind = (m.x + m.width) * height;
  if (inside && behind < height * width) change_at(behind);
  const int64_t left = height * width - done;
  if (left > 0 || out.counts.empty()) out.counts.push_back(static_cast<uint32_t>(left));
  return out;
}

int64_t area(const MaskPiece& mask) {
  return std::count_if(mask.values.begin(), mask.values.end(), [](uint8_t v) { return v != 0; });
}

int64_t intersection(const MaskPiece& a, const MaskPiece& b, const Box& within) {
  const Window w = common(common(window_of(a), window_of(b)), window_of(within));
  int64_t out = 0;
  for (int64_t i = w.y1; i < w.y2; ++i) {
    const uint8_t *p = row_of(a, i), *q = row_of(b, i);
    for (int64_t j = w.x1; j < w.x2; ++j) out += p[j] != 0 && q[j] != 0;
  }
  return out;
}

int64_t area_within(const MaskPiece& mask, const Box& within) {
  return intersection(mask, mask, within);
}

MaskPiece joined(const MaskPiece& a, const MaskPiece& b) {
  if (a.empty()) return tight(b);
  if (b.empty()) return tight(a);
  MaskPiece out;
  out.x = std::min(a.x, b.x);
  out.y = std::min(a.y, b.y);
  out.width = std::max(a.x + a.width, b.x + b.width) - out.x;
  out.height = std::max(a.y + a.height, b.y + b.height) - out.y;
  out.values.resize(static_cast<size_t>(out.width * out.height));
  for (const MaskPiece* m : {&a, &b})
    for (int64_t i = 0; i < m->height; ++i)
      for (int64_t j = 0; j < m->width; ++j)
        if (m->values[static_cast<size_t>(i * m->width + j)] != 0)
          out.values[static_cast<size_t>((m->y + i - out.y) * out.width + m->x + j - out.x)] = 1;
  return tight(out);
}

MaskPiece cut(const MaskPiece& m, int64_t y, int64_t x, int64_t height, int64_t width) {
  const Window w = common(window_of(m), {y, x, y + height, x + width});
  if (w.y2 <= w.y1 || w.x2 <= w.x1) return {};
  MaskPiece out{w.x1 - x, w.y1 - y, w.x2 - w.x1, w.y2 - w.y1, {}};
  for (int64_t i = w.y1; i < w.y2; ++i) {
    const auto row = m.values.begin() + (i - m.y) * m.width;
    out.values.insert(out.values.end(), row + (w.x1 - m.x), row + (w.x2 - m.x));
  }
  return tight(out);
}

Box bounds(const MaskPiece& mask) {
  const MaskPiece m = tight(mask);
  return {static_cast<float>(m.x), static_cast<float>(m.y), static_cast<float>(m.x + m.width),
          static_cast<float>(m.y + m.height)};
}

std::vector<MaskPiece> connected_parts(std::span<const uint8_t> mask, int64_t height,
                                       int64_t width) {
  check<ValueError>(
      height >= 0 && width >= 0 && static_cast<int64_t>(mask.size()) == height * width,
      "connected_parts", "expects ", height, " x ", width, " values, got ", mask.size());
  std::vector<MaskPiece> out;
  std::vector<uint8_t> seen(mask.size(), 0);
  std::vector<int64_t> part;  // places of the part, in the order in which they were found
  for (int64_t start = 0; start < height * width; ++start) {
    if (mask[static_cast<size_t>(start)] == 0 || seen[static_cast<size_t>(start)] != 0) continue;
    part.assign(1, start);
    seen[static_cast<size_t>(start)] = 1;
    Window used{height, width, 0, 0};
    for (size_t next = 0; next < part.size(); ++next) {
      const int64_t i = part[next] / width, j = part[next] % width;
      used = {std::min(used.y1, i), std::min(used.x1, j), std::max(used.y2, i + 1),
              std::max(used.x2, j + 1)};
      for (int64_t a = std::max<int64_t>(i - 1, 0); a <= std::min(i + 1, height - 1); ++a)
        for (int64_t b = std::max<int64_t>(j - 1, 0); b <= std::min(j + 1, width - 1); ++b) {
          const auto place = static_cast<size_t>(a * width + b);
          if (mask[place] == 0 || seen[place] != 0) continue;
          seen[place] = 1;
          part.push_back(a * width + b);
        }
    }
    MaskPiece& piece =
        out.emplace_back(MaskPiece{used.x1, used.y1, used.x2 - used.x1, used.y2 - used.y1, {}});
    piece.values.assign(static_cast<size_t>(piece.width * piece.height), 0);
    for (const int64_t place : part)
      piece.values[static_cast<size_t>((place / width - piece.y) * piece.width + place % width -
                                       piece.x)] = 1;
  }
  return out;
}

std::vector<MaskPiece> connected_parts(const MaskPiece& mask) {
  std::vector<MaskPiece> out = connected_parts(mask.values, mask.height, mask.width);
  for (MaskPiece& part : out) {
    part.x += mask.x;
    part.y += mask.y;
  }
  return out;
}

}  // namespace cytograd::detection
