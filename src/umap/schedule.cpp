#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/umap/layout.h"

namespace cytograd::umap {

Schedule::Schedule(const std::vector<float>& weight, double largest, int64_t epochs,
                   int64_t negative_rate)
    : negative_rate_(static_cast<double>(negative_rate)),
      period_(weight.size()),
      next_(weight.size()),
      next_negative_(weight.size()),
      due_(weight.size()) {
  for (size_t e = 0; e < weight.size(); ++e) {
    const double w = weight[e];
    // An edge that comes round less than once in all epochs is never visited.
    const bool pruned = !(w > 0) || (epochs > 10 && w < largest / static_cast<double>(epochs));
    period_[e] = pruned ? std::numeric_limits<double>::infinity() : largest / w;
    next_[e] = period_[e];
    next_negative_[e] = period_[e] / negative_rate_;
    set_due(static_cast<int64_t>(e));
  }
}

void Schedule::set_due(int64_t edge) {
  const double epoch = std::ceil(next_[static_cast<size_t>(edge)]);
  due_[static_cast<size_t>(edge)] =
      static_cast<int32_t>(std::min<double>(epoch, std::numeric_limits<int32_t>::max()));
}

int64_t Schedule::visit(int64_t edge, int64_t epoch) {
  const auto e = static_cast<size_t>(edge);
  next_[e] += period_[e];
  set_due(edge);
  if (negative_rate_ <= 0) return 0;
  const double step = period_[e] / negative_rate_;
  const auto draws = static_cast<int64_t>((static_cast<double>(epoch) - next_negative_[e]) / step);
  if (draws <= 0) return 0;
  next_negative_[e] += static_cast<double>(draws) * step;
  return draws;
}

}  // namespace cytograd::umap
