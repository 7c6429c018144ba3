#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "cytograd/detection/boxes.h"
#include "cytograd/ops/nms.h"

namespace cytograd::detection {

/// Candidate boxes with what is known of them, entry by entry.
struct ScoredBoxes {
  std::vector<Box> boxes;
  std::vector<float> scores;
  std::vector<int64_t> groups;  ///< pyramid level or class: only boxes of one group compete

  void add(const Box& box, float score, int64_t group) {
    boxes.push_back(box);
    scores.push_back(score);
    groups.push_back(group);
  }
  size_t size() const { return boxes.size(); }
};

/// Non-maximum suppression within groups (ops/nms.h), on `device`; the best `most` that remain, in
/// order of falling score, equal scores in their order. One path for any size, so that the result
/// does not change with the number of boxes.
inline ScoredBoxes suppress(const ScoredBoxes& given, double threshold, int64_t most,
                            Device device = {}) {
  ScoredBoxes out;
  if (given.size() == 0) return out;
  const Tensor kept =
      nms(boxes_tensor(given.boxes).to(device), Tensor::from(given.scores).to(device), threshold,
          Tensor::from(given.groups).to(device));
  for (const int64_t place : kept.to_vector<int64_t>()) {
    if (static_cast<int64_t>(out.size()) >= most) break;
    const auto i = static_cast<size_t>(place);
    out.add(given.boxes[i], given.scores[i], given.groups[i]);
  }
  return out;
}

/// Places of the `count` largest values, falling, equal ones in their order. NaN is left out.
inline std::vector<int64_t> largest(std::span<const float> values, int64_t count) {
  std::vector<int64_t> order;
  order.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) order.push_back(static_cast<int64_t>(i));
  const auto before = [&](int64_t i, int64_t j) {
    const float a = values[static_cast<size_t>(i)], b = values[static_cast<size_t>(j)];
    return a != b ? a > b : i < j;
  };
  const auto end = order.begin() + std::min<int64_t>(count, static_cast<int64_t>(order.size()));
  if (end != order.end()) std::nth_element(order.begin(), end, order.end(), before);
  std::sort(order.begin(), end, before);
  order.erase(end, order.end());
  return order;
}

}  // namespace cytograd::detection
