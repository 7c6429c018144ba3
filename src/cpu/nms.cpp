#include "kernels/nms.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

// The kept boxes of one group, coordinate by coordinate, so that a candidate meets several at once.
class KeptBoxes {
 public:
  void add(const float* box) {
    for (size_t i = 0; i < 4; ++i) sides_[i].push_back(box[i]);
    areas_.push_back(area(box));
  }

  // `overlaps(box, kept, threshold)` for any of them, the same operations in the same order.
  bool cover(const float* box, float threshold) const {
    const float of_box = area(box);
    const size_t n = areas_.size();
    for (size_t begin = 0; begin < n; begin += kBlock) {
      const size_t end = std::min(n, begin + kBlock);
      int found = 0;
      for (size_t k = begin; k < end; ++k) {
        const float w = smaller(box[2], sides_[2][k]) - larger(box[0], sides_[0][k]),
                    h = smaller(box[3], sides_[3][k]) - larger(box[1], sides_[1][k]);
        const float both = rounded_product(w, h), ratio = both / (of_box + areas_[k] - both);
        found |=
            static_cast<int>(w > 0) & static_cast<int>(h > 0) & static_cast<int>(ratio > threshold);
      }
      if (found != 0) return true;
    }
    return false;
  }

 private:
  static constexpr size_t kBlock = 64;
  static float smaller(float u, float v) { return u < v ? u : v; }
  static float larger(float u, float v) { return u > v ? u : v; }
  static float area(const float* box) { return rounded_product(box[2] - box[0], box[3] - box[1]); }
  std::vector<float> sides_[4], areas_;
};

}  // namespace

// Groups have nothing to do with each other: each is swept by itself, in order of falling score.
void nms(CpuContext, const Tensor& boxes, const Tensor& scores, float threshold,
         const Tensor& groups, const Tensor& kept, const Tensor& count) {
  const float *box = boxes.data<float>(), *score = scores.data<float>();
  const int64_t* group = groups.defined() ? groups.data<int64_t>() : nullptr;
  std::vector<int64_t> order(static_cast<size_t>(scores.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [=](int64_t i, int64_t j) { return comes_before(score[i], i, score[j], j); });

  std::vector<int64_t> ranks(order.size());  // places in `order`, those of a group together
  std::iota(ranks.begin(), ranks.end(), 0);
  const auto group_of = [&](int64_t rank) {
    return group ? group[order[static_cast<size_t>(rank)]] : 0;
  };
  std::stable_sort(ranks.begin(), ranks.end(),
                   [&](int64_t i, int64_t j) { return group_of(i) < group_of(j); });
  std::vector<size_t> starts;
  for (size_t r = 0; r < ranks.size(); ++r)
    if (r == 0 || group_of(ranks[r]) != group_of(ranks[r - 1])) starts.push_back(r);
  starts.push_back(ranks.size());

  std::vector<uint8_t> keep(order.size(), 0);  // by rank
  parallel_for(static_cast<int64_t>(starts.size()) - 1, 1, [&](int64_t begin, int64_t end) {
    for (auto g = static_cast<size_t>(begin); g < static_cast<size_t>(end); ++g) {
      KeptBoxes boxes_of_group;
      for (size_t r = starts[g]; r < starts[g + 1]; ++r) {
        const auto rank = static_cast<size_t>(ranks[r]);
        const float* candidate = box + 4 * order[rank];
        if (boxes_of_group.cover(candidate, threshold)) continue;
        boxes_of_group.add(candidate);
        keep[rank] = 1;
      }
    }
  });
  int64_t* out = kept.data<int64_t>();
  int64_t n = 0;
  for (size_t rank = 0; rank < order.size(); ++rank)
    if (keep[rank]) out[n++] = order[rank];
  *count.data<int64_t>() = n;
}

}  // namespace cytograd::kernels
