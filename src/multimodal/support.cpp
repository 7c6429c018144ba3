#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/multimodal/trajectory.h"
#include "cytograd/umap/neighbors.h"

namespace cytograd::multimodal {

std::vector<double> support_percentiles(const Tensor& cells, const Tensor& path, int64_t k) {
  constexpr const char* op = "support_percentiles";
  check<ValueError>(k >= 1, op, "k expects >= 1, got ", k);
  check<ShapeError>(cells.ndim() == 2 && path.ndim() == 2 && cells.size(1) == path.size(1), op,
                    "expects cells [N, D] and a path [T, D], got ", cells.shape(), " and ",
                    path.shape());
  const int64_t n = cells.size(0), steps = path.size(0), d = cells.size(1);
  std::vector<double> out(static_cast<size_t>(steps), std::numeric_limits<double>::quiet_NaN());
  if (n < 2) return out;
  const std::vector<float> x = cells.to_vector<float>(), z = path.to_vector<float>();
  for (const std::vector<float>* values : {&x, &z})
    for (const float v : *values)
      check<ValueError>(std::isfinite(v), op, "expects finite latents, got ", v);
  const int64_t order = std::min(k, n - 1);
  const umap::Points points{x.data(), n, d};
  // The first neighbour of a cell is itself.
  const umap::Neighbors within = umap::exact_neighbors(points, order + 1);
  const umap::Neighbors beside = umap::exact_neighbors(points, {z.data(), steps, d}, order);
  std::vector<float> own;
  for (int64_t i = 0; i < n; ++i)
    own.push_back(within.distance[static_cast<size_t>(i * (order + 1) + order)]);
  std::sort(own.begin(), own.end());
  for (int64_t i = 0; i < steps; ++i) {
    const float distance = beside.distance[static_cast<size_t>(i * order + order - 1)];
    const auto closer = std::lower_bound(own.begin(), own.end(), distance) - own.begin();
    out[static_cast<size_t>(i)] = 100 * static_cast<double>(closer) / static_cast<double>(n);
  }
  return out;
}

}  // namespace cytograd::multimodal
