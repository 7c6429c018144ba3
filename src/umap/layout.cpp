#include "cytograd/umap/layout.h"

#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "kernels/umap_layout.h"
#include "umap/sequential.h"

namespace cytograd::umap {
namespace {

constexpr int64_t strip_rows = 256;

// One array per coordinate, as the kernel reads them.
class Columns {
 public:
  Columns(const std::vector<float>& rows, int64_t dims) : dims_(dims), values_(rows.size()) {
    const int64_t n = count();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t d = 0; d < dims; ++d) values_[d * n + i] = rows[i * dims + d];
    for (int64_t d = 0; d < dims; ++d) pointers_.push_back(values_.data() + d * n);
  }
  Columns(const Columns& other) : dims_(other.dims_), values_(other.values_) {
    for (int64_t d = 0; d < dims_; ++d) pointers_.push_back(values_.data() + d * count());
  }
  Columns& operator=(const Columns&) = delete;

  int64_t count() const { return dims_ == 0 ? 0 : static_cast<int64_t>(values_.size()) / dims_; }
  float* const* pointers() const { return pointers_.data(); }
  void copy_values(const Columns& other) { values_ = other.values_; }
  void store(std::vector<float>& rows) const {
    const int64_t n = count();
    for (int64_t i = 0; i < n; ++i)
      for (int64_t d = 0; d < dims_; ++d) rows[i * dims_ + d] = values_[d * n + i];
  }

 private:
  int64_t dims_;
  std::vector<float> values_;
  std::vector<float*> pointers_;
};

// What happens to a range of rows in one epoch.
struct Visits {
  std::vector<int32_t> point, partner, draws;
  std::vector<uint32_t> edge;

  void gather(const Graph& g, Schedule& schedule, int64_t begin, int64_t end, int64_t epoch,
              uint64_t key) {
    point.clear();
    partner.clear();
    draws.clear();
    edge.clear();
    const int32_t* due = schedule.due();
    for (int64_t i = begin; i < end; ++i) {
      const size_t first = edge.size();
      for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e)
        if (due[e] <= epoch) edge.push_back(static_cast<uint32_t>(e));
      shuffle_visits(edge.data() + first, edge.size() - first, key, i);
      for (size_t v = first; v < edge.size(); ++v) {
        point.push_back(static_cast<int32_t>(i));
        partner.push_back(g.column[edge[v]]);
        draws.push_back(static_cast<int32_t>(schedule.visit(edge[v], epoch)));
      }
    }
  }
};

void check_layout(const std::vector<float>& positions, const std::vector<float>& anchors,
                  int64_t dims, const Graph& graph, const LayoutOptions& o) {
  const char* const op = "optimize_layout";
  check<ValueError>(dims >= 1 && dims <= simd::umap_max_dims, op, "dims expects 1 to ",
                    simd::umap_max_dims, ", got ", dims);
  check<ValueError>(static_cast<int64_t>(positions.size()) == graph.rows * dims &&
                        static_cast<int64_t>(anchors.size()) == graph.columns * dims,
                    op, "expected ", graph.rows, " positions and ", graph.columns, " partners of ",
                    dims, " coordinates, got ", positions.size(), " and ", anchors.size(),
                    " values");
  check<ValueError>(graph.edges() < (int64_t{1} << 32), op, "expected fewer than 2^32 edges, got ",
                    graph.edges());
  check<ValueError>(o.epochs >= 0 && o.negative_rate >= 0, op,
                    "epochs and negative_rate expect >= 0, got ", o.epochs, " and ",
                    o.negative_rate);
}

double largest_weight(const Graph& graph) {
  float largest = 0;
  for (const float w : graph.weight) largest = std::max(largest, w);
  return largest;
}

// `moved` and `others` are different arrays; `others` takes over the new places after each epoch
// where `mutual`.
void run(Columns& moved, Columns& others, int64_t dims, const Graph& graph, const LayoutOptions& o,
         bool mutual) {
  Schedule schedule(graph.weight, largest_weight(graph), o.epochs, o.negative_rate);
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    const uint64_t key = epoch_key(o, epoch);
    const auto rate = static_cast<float>(epoch_rate(o, epoch));
    parallel_for(graph.rows, strip_rows, [&](int64_t begin, int64_t end) {
      thread_local Visits visits;
      visits.gather(graph, schedule, begin, end, epoch, key);
      simd::UmapStrip s;
      s.visits = static_cast<int64_t>(visits.point.size());
      s.point = visits.point.data();
      s.partner = visits.partner.data();
      s.draws = visits.draws.data();
      s.edge = visits.edge.data();
      s.dims = static_cast<int>(dims);
      s.moved = moved.pointers();
      s.others = others.pointers();
      s.other_count = static_cast<uint32_t>(others.count());
      s.salt[0] = static_cast<uint32_t>(key);
      s.salt[1] = static_cast<uint32_t>(key >> 32);
      s.a = static_cast<float>(o.curve.a);
      s.b = static_cast<float>(o.curve.b);
      s.rate = rate;
      s.repulsion = static_cast<float>(o.repulsion);
      s.mutual = mutual;
      kernels::umap_strip(s);
    });
    if (mutual) others.copy_values(moved);
  }
}

}  // namespace

double epoch_rate(const LayoutOptions& o, int64_t epoch) {
  const auto done = static_cast<double>(std::max<int64_t>(epoch - 1, 0));
  return o.learning_rate * (1 - done / static_cast<double>(o.epochs));
}

void optimize_layout(std::vector<float>& positions, int64_t dims, const Graph& graph,
                     const LayoutOptions& o) {
  check_layout(positions, positions, dims, graph, o);
  if (o.order == Order::sequential) {
    Schedule schedule(graph.weight, largest_weight(graph), o.epochs, o.negative_rate);
    return layout_sequential(positions, dims, graph, o, schedule);
  }
  Columns moved(positions, dims), others(moved);
  run(moved, others, dims, graph, o, true);
  moved.store(positions);
}

void optimize_layout(std::vector<float>& positions, const std::vector<float>& anchors, int64_t dims,
                     const Graph& graph, const LayoutOptions& o) {
  check_layout(positions, anchors, dims, graph, o);
  Columns moved(positions, dims), others(anchors, dims);
  run(moved, others, dims, graph, o, false);
  moved.store(positions);
}

}  // namespace cytograd::umap
