#include "cytograd/detection/instance.h"

#include <algorithm>

#include "cytograd/core/error.h"

namespace cytograd::detection {
namespace {

void check_mask(const char* op, const BinaryMask& mask) {
  check<ValueError>(mask.height >= 0 && mask.width >= 0 &&
                        static_cast<int64_t>(mask.values.size()) == mask.height * mask.width,
                    op, "expects ", mask.height, " x ", mask.width, " values, got ",
                    mask.values.size());
}

// Gives `mark` to all that hangs together with pixel `first` and has its mark. @return how many
int64_t flood(std::vector<int64_t>& marks, const BinaryMask& mask, int64_t first, int64_t mark,
              bool corners) {
  const int64_t from = marks[static_cast<size_t>(first)];
  std::vector<int64_t> open{first};
  marks[static_cast<size_t>(first)] = mark;
  int64_t count = 0;
  while (!open.empty()) {
    const int64_t at = open.back(), y = at / mask.width, x = at % mask.width;
    open.pop_back();
    ++count;
    for (int64_t dy = -1; dy <= 1; ++dy)
      for (int64_t dx = -1; dx <= 1; ++dx) {
        const int64_t ny = y + dy, nx = x + dx;
        if ((!corners && dx != 0 && dy != 0) || ny < 0 || nx < 0 || ny >= mask.height ||
            nx >= mask.width)
          continue;
        int64_t& next = marks[static_cast<size_t>(ny * mask.width + nx)];
        if (next != from) continue;
        next = mark;
        open.push_back(ny * mask.width + nx);
      }
  }
  return count;
}

}  // namespace

std::optional<size_t> choose_instance(const std::vector<Box>& boxes,
                                      const std::vector<float>& scores, float least, int64_t height,
                                      int64_t width) {
  check<ValueError>(boxes.size() == scores.size(), "choose_instance",
                    "expects a score for each of ", boxes.size(), " boxes, got ", scores.size());
  const float cy = static_cast<float>(height) / 2, cx = static_cast<float>(width) / 2;
  struct Rank {
    float distance, score;  // distance 0 for all boxes that hold the centre
    bool before(const Rank& other) const {
      return distance != other.distance ? distance < other.distance : score > other.score;
    }
  };
  std::optional<size_t> best;
  Rank of_best{};
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!(scores[i] >= least)) continue;
    const Box& b = boxes[i];
    const bool holds = b.x1 <= cx && cx <= b.x2 && b.y1 <= cy && cy <= b.y2;
    const float dx = (b.x1 + b.x2) / 2 - cx, dy = (b.y1 + b.y2) / 2 - cy;
    const Rank rank{holds ? 0 : dx * dx + dy * dy, scores[i]};
    if (best && !rank.before(of_best)) continue;
    best = i;
    of_best = rank;
  }
  return best;
}

int64_t keep_largest_part(BinaryMask& mask) {
  check_mask("keep_largest_part", mask);
  std::vector<int64_t> marks(mask.values.size());  // -1 object not seen, 0 background, n part n
  for (size_t i = 0; i < marks.size(); ++i) marks[i] = mask.values[i] ? -1 : 0;
  int64_t parts = 0, largest = 0, size = 0;
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] != -1) continue;
    const int64_t count = flood(marks, mask, static_cast<int64_t>(i), ++parts, true);
    if (count <= size) continue;
    size = count;
    largest = parts;
  }
  for (size_t i = 0; i < marks.size(); ++i)
    mask.values[i] = parts > 0 && marks[i] == largest ? 1 : 0;
  return parts;
}

int64_t fill_holes(BinaryMask& mask) {
  check_mask("fill_holes", mask);
  std::vector<int64_t> marks(mask.values.size());  // 0 background not reached, 1 object, 2 reached
  for (size_t i = 0; i < marks.size(); ++i) marks[i] = mask.values[i] ? 1 : 0;
  for (int64_t y = 0; y < mask.height; ++y)
    for (int64_t x = 0; x < mask.width; ++x) {
      const bool rim = y == 0 || x == 0 || y + 1 == mask.height || x + 1 == mask.width;
      const int64_t at = y * mask.width + x;
      if (rim && marks[static_cast<size_t>(at)] == 0) flood(marks, mask, at, 2, false);
    }
  int64_t added = 0;
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] != 0) continue;
    mask.values[i] = 1;
    ++added;
  }
  return added;
}

}  // namespace cytograd::detection
