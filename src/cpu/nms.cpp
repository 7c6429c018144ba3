#include "kernels/nms.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace cytograd::kernels {

void nms(CpuContext, const Tensor& boxes, const Tensor& scores, float threshold,
         const Tensor& groups, const Tensor& kept, const Tensor& count) {
  const float *box = boxes.data<float>(), *score = scores.data<float>();
  const int64_t* group = groups.defined() ? groups.data<int64_t>() : nullptr;
  std::vector<int64_t> order(static_cast<size_t>(scores.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [=](int64_t i, int64_t j) { return comes_before(score[i], i, score[j], j); });
  int64_t* out = kept.data<int64_t>();
  int64_t n = 0;
  for (const int64_t i : order) {
    const bool gone = std::any_of(out, out + n, [=](int64_t j) {
      return (!group || group[i] == group[j]) && overlaps(box + 4 * i, box + 4 * j, threshold);
    });
    if (!gone) out[n++] = i;
  }
  *count.data<int64_t>() = n;
}

}  // namespace cytograd::kernels
