#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/umap/neighbors.h"

#ifdef CYTOGRAD_HNSWLIB
#include <hnswlib/hnswlib.h>
#endif

namespace cytograd::umap {

#ifdef CYTOGRAD_HNSWLIB
namespace {

class Index {
 public:
  Index(const Points& points, const ApproximateOptions& o)
      : points_(points),
        space_(static_cast<size_t>(points.columns)),
        graph_(&space_, static_cast<size_t>(points.rows), static_cast<size_t>(o.links),
               static_cast<size_t>(o.build_width)) {
    for (int64_t i = 0; i < points.rows; ++i)
      graph_.addPoint(points.row(i), static_cast<size_t>(i));
  }

  Neighbors search(const Points& queries, int64_t k, bool self, int64_t width) {
    graph_.setEf(static_cast<size_t>(width > 0 ? width : std::max<int64_t>(100, 4 * k)));
    Neighbors out{queries.rows, k, {}, {}};
    out.index.resize(static_cast<size_t>(queries.rows * k));
    out.distance.resize(out.index.size());
    parallel_for(queries.rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) row(queries, i, k, self, out);
    });
    return out;
  }

 private:
  using Found = std::pair<float, int32_t>;

  void row(const Points& queries, int64_t i, int64_t k, bool self, Neighbors& out) {
    auto heap = graph_.searchKnn(queries.row(i), static_cast<size_t>(k));
    std::vector<Found> found;
    for (; !heap.empty(); heap.pop()) {
      const auto index = static_cast<int32_t>(heap.top().second);
      if (self && index == i) continue;
      found.emplace_back(distance(queries.row(i), points_.row(index), points_.columns), index);
    }
    if (self) found.emplace_back(-1.0f, static_cast<int32_t>(i));
    std::sort(found.begin(), found.end());
    // The search graph can fall apart over many duplicates; the missing ones are found directly.
    if (static_cast<int64_t>(found.size()) < k) found = direct(queries.row(i), i, self);
    for (int64_t j = 0; j < k; ++j) {
      out.index[static_cast<size_t>(i * k + j)] = found[static_cast<size_t>(j)].second;
      out.distance[static_cast<size_t>(i * k + j)] =
          std::max(0.0f, found[static_cast<size_t>(j)].first);
    }
  }

  std::vector<Found> direct(const float* query, int64_t i, bool self) const {
    std::vector<Found> found;
    for (int64_t j = 0; j < points_.rows; ++j)
      found.emplace_back(self && i == j ? -1.0f : distance(query, points_.row(j), points_.columns),
                         static_cast<int32_t>(j));
    std::sort(found.begin(), found.end());
    return found;
  }

  Points points_;
  hnswlib::L2Space space_;
  hnswlib::HierarchicalNSW<float> graph_;
};

Neighbors search(const Points& points, const Points& queries, int64_t k, bool self,
                 const ApproximateOptions& options) {
  check<ValueError>(k >= 1 && k <= points.rows, "approximate_neighbors", "k expects 1 to ",
                    points.rows, ", got ", k);
  check<ShapeError>(points.columns == queries.columns, "approximate_neighbors", "queries expect ",
                    points.columns, " columns, got ", queries.columns);
  return Index(points, options).search(queries, k, self, options.search_width);
}

}  // namespace

bool has_approximate_neighbors() { return true; }
#else
namespace {

Neighbors search(const Points&, const Points&, int64_t, bool, const ApproximateOptions&) {
  throw StateError("approximate_neighbors: this build has no hnswlib; install libhnswlib-dev");
}

}  // namespace

bool has_approximate_neighbors() { return false; }
#endif

Neighbors approximate_neighbors(const Points& points, int64_t k,
                                const ApproximateOptions& options) {
  return search(points, points, k, true, options);
}

Neighbors approximate_neighbors(const Points& points, const Points& queries, int64_t k,
                                const ApproximateOptions& options) {
  return search(points, queries, k, false, options);
}

}  // namespace cytograd::umap
