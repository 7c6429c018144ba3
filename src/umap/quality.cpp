#include "cytograd/umap/quality.h"

#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::umap {

double trustworthiness(const Points& data, const Points& map, int64_t k) {
  const int64_t n = data.rows;
  check<ShapeError>(n == map.rows, "trustworthiness", "map expects ", n, " rows, got ", map.rows);
  check<ValueError>(k >= 1 && 2 * k < n, "trustworthiness", "k expects 1 to ", (n - 1) / 2,
                    ", got ", k);
  const Neighbors near = exact_neighbors(map, k + 1);
  std::vector<double> penalty(static_cast<size_t>(n), 0.0);
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> distances(static_cast<size_t>(n));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < n; ++j)
        distances[static_cast<size_t>(j)] = distance(data.row(i), data.row(j), data.columns);
      for (int64_t s = 1; s <= k; ++s) {
        const int32_t j = near.index[static_cast<size_t>(i * (k + 1) + s)];
        const float own = distances[static_cast<size_t>(j)];
        int64_t rank = 1;
        for (int64_t other = 0; other < n; ++other) {
          const float d = distances[static_cast<size_t>(other)];
          rank += other != i && (d < own || (d == own && other < j));
        }
        penalty[static_cast<size_t>(i)] += static_cast<double>(std::max<int64_t>(rank - k, 0));
      }
    }
  });
  double sum = 0;
  for (const double p : penalty) sum += p;
  const auto rows = static_cast<double>(n), count = static_cast<double>(k);
  return 1 - 2 * sum / (rows * count * (2 * rows - 3 * count - 1));
}

double continuity(const Points& data, const Points& map, int64_t k) {
  return trustworthiness(map, data, k);
}

}  // namespace cytograd::umap
