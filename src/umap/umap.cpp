#include "cytograd/umap/umap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/umap/init.h"
#include "umap/inverse.h"

namespace cytograd {
namespace {

using namespace umap;

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  check<ConfigError>(condition, "umap", parts...);
}

// A packed float32 copy of [rows, columns] with finite values only.
Tensor matrix(const Tensor& x, const char* op, const char* what) {
  check<ShapeError>(x.defined() && x.ndim() == 2, op, what, " expects [rows, columns], got ",
                    x.defined() ? x.shape() : Shape{});
  check<DtypeError>(x.dtype() == Dtype::float32 || x.dtype() == Dtype::float64, op, what,
                    " expects float32 or float64, got ", x.dtype());
  Tensor out = x.detach().to(Dtype::float32).clone();
  const float* values = out.data<float>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    if (std::isfinite(values[i])) [[likely]]
      continue;
    const int64_t columns = out.size(1);
    throw DataError(Fault{"umap.nan", "",
                          std::string(what) + " row " + std::to_string(i / columns) + ", column " +
                              std::to_string(i % columns),
                          std::isnan(values[i]) ? "NaN" : "infinity", "a finite float32 number",
                          "leave such rows out or fill them in"});
  }
  return out;
}

Points view(const Tensor& x) { return {x.data<float>(), x.size(0), x.size(1)}; }

std::vector<float> values_of(const Tensor& x) {
  return {x.data<float>(), x.data<float>() + x.numel()};
}

Neighbors find_neighbors(const Points& points, int64_t k, int64_t limit) {
  return points.rows > limit && has_approximate_neighbors() ? approximate_neighbors(points, k)
                                                            : exact_neighbors(points, k);
}

Neighbors find_neighbors(const Points& points, const Points& queries, int64_t k, int64_t limit) {
  return points.rows > limit && has_approximate_neighbors()
             ? approximate_neighbors(points, queries, k)
             : exact_neighbors(points, queries, k);
}

// The training rows that have a place, and the places.
struct Placed {
  Points points;
  std::vector<float> places, rows;  // rows: a copy, where some have none
  Placed(const Tensor& data, const Tensor& map) : points(view(data)), places(values_of(map)) {
    const int64_t dims = map.size(1);
    int64_t kept = 0;
    for (int64_t i = 0; i < points.rows; ++i) kept += !std::isnan(places[i * dims]);
    if (kept == points.rows) return;
    std::vector<float> all = std::move(places);
    places.clear();
    for (int64_t i = 0; i < points.rows; ++i) {
      if (std::isnan(all[i * dims])) continue;
      places.insert(places.end(), all.begin() + i * dims, all.begin() + (i + 1) * dims);
      rows.insert(rows.end(), points.row(i), points.row(i) + points.columns);
    }
    points = {rows.data(), kept, points.columns};
  }
};

// Means of the neighbours' places by weight; exactly the place of a training row at distance 0.
// Of neighbours so far off that every weight is 0, the nearest counts.
std::vector<float> weighted_places(const Graph& graph, const Neighbors& near,
                                   const std::vector<float>& anchors, int64_t dims) {
  std::vector<float> out(static_cast<size_t>(graph.rows * dims));
  std::vector<double> sum(static_cast<size_t>(dims));
  for (int64_t i = 0; i < graph.rows; ++i) {
    double total = 0;
    std::fill(sum.begin(), sum.end(), 0.0);
    for (int64_t e = graph.begin[i]; e < graph.begin[i + 1]; ++e) {
      const float* place = anchors.data() + graph.column[e] * dims;
      const double w = graph.weight[e];
      const bool same = w >= 1;
      for (int64_t d = 0; d < dims; ++d) sum[d] = (same ? 0 : sum[d]) + w * place[d];
      total = (same ? 0 : total) + w;
      if (same) break;
    }
    const int32_t nearest = near.index[static_cast<size_t>(i * near.k)];
    for (int64_t d = 0; d < dims; ++d)
      out[i * dims + d] =
          total > 0 ? static_cast<float>(sum[d] / total) : anchors[nearest * dims + d];
  }
  return out;
}

}  // namespace

void UmapOptions::check() const {
  require(neighbors >= 2, "neighbors expects 2 or more, got ", neighbors);
  require(components >= 1 && components <= 64, "components expects 1 to 64, got ", components);
  require(spread > 0 && std::isfinite(spread), "spread expects > 0, got ", spread);
  require(min_dist >= 0 && min_dist <= spread, "min_dist expects 0 to ", spread, " (spread), got ",
          min_dist);
  require(local_connectivity >= 0 && std::isfinite(local_connectivity),
          "local_connectivity expects >= 0, got ", local_connectivity);
  require(set_op_mix >= 0 && set_op_mix <= 1, "set_op_mix expects 0 to 1, got ", set_op_mix);
  require(target_weight >= 0 && target_weight <= 1, "target_weight expects 0 to 1, got ",
          target_weight);
  require(learning_rate > 0 && std::isfinite(learning_rate), "learning_rate expects > 0, got ",
          learning_rate);
  require(repulsion >= 0 && std::isfinite(repulsion), "repulsion expects >= 0, got ", repulsion);
  require(negative_rate >= 0 && negative_rate <= 1000, "negative_rate expects 0 to 1000, got ",
          negative_rate);
  require(epochs >= 0 && epochs <= 1'000'000, "epochs expects 0 to 1000000, got ", epochs);
  require(exact_limit >= 0, "exact_limit expects >= 0, got ", exact_limit);
  require(inverse_neighbors >= 0, "inverse_neighbors expects >= 0, got ", inverse_neighbors);
  require(inverse_epochs >= -1 && inverse_epochs <= 1'000'000,
          "inverse_epochs expects -1 to 1000000, got ", inverse_epochs);
}

Umap::Umap(UmapOptions options) : options_(options) {
  options_.check();
  curve_ = fit_curve(options_.min_dist, options_.spread);
}

Points Umap::points() const { return view(data_); }

int64_t Umap::columns() const {
  check<StateError>(fitted(), "umap", "expected a fitted map; call fit first");
  return data_.size(1);
}

const Tensor& Umap::embedding() const {
  check<StateError>(fitted(), "umap", "expected a fitted map; call fit first");
  return embedding_;
}

void Umap::build_graph(const Tensor& labels) {
  const int64_t n = data_.size(0);
  neighbors_ = options_.neighbors;
  if (n <= neighbors_) {
    neighbors_ = std::max<int64_t>(std::min<int64_t>(2, n), n - 1);
    notes_.push_back("neighbors lowered from " + std::to_string(options_.neighbors) + " to " +
                     std::to_string(neighbors_) + ": there are " + std::to_string(n) + " rows");
  }
  if (n > options_.exact_limit && !has_approximate_neighbors())
    notes_.push_back("this build has no approximate neighbours; the search of " +
                     std::to_string(n) + " rows is exact and slow");
  const Neighbors near = find_neighbors(points(), neighbors_, options_.exact_limit);
  scales_ = smooth_scales(near, options_.local_connectivity);
  graph_ = fuzzy_union(membership(near, scales_, n), options_.set_op_mix);
  if (!labels.defined()) return;
  check<ShapeError>(labels.ndim() == 1 && labels.size(0) == n, "umap", "labels expect [", n,
                    "], got ", labels.shape());
  check<DtypeError>(labels.dtype() == Dtype::int64, "umap", "labels expect int64, got ",
                    labels.dtype());
  const std::vector<int64_t> classes = labels.to_vector<int64_t>();
  for (const int64_t c : classes)
    check<ValueError>(c >= -1, "umap", "labels expect -1 (unknown) or more, got ", c);
  graph_ = intersect_labels(graph_, classes, options_.target_weight);
}

std::vector<float> Umap::start(const Tensor& init) {
  const int64_t n = data_.size(0), dims = options_.components;
  std::vector<float> out;
  if (init.defined()) {
    const Tensor given = matrix(init, "umap", "init");
    check<ShapeError>(given.shape() == Shape{n, dims}, "umap", "init expects ", Shape{n, dims},
                      ", got ", given.shape());
    out = values_of(given);
    rescale(out, dims, "init");
  } else {
    switch (options_.init) {
      case UmapInit::spectral:
        out = spectral_positions(graph_, points(), dims, options_.seed);
        break;
      case UmapInit::pca:
        out = principal_positions(points(), dims, options_.seed);
        break;
      case UmapInit::random:
        out = random_positions(n, dims, options_.seed);
        break;
    }
    // Points that an init cannot tell apart are spread a little.
    float largest = 0;
    for (const float v : out) largest = std::max(largest, std::abs(v));
    add_noise(out, 1e-5 * (largest > 0 ? largest : 1), options_.seed + 1);
    rescale(out, dims, "the starting position");
  }
  add_noise(out, 1e-4, options_.seed);
  return out;
}

Tensor Umap::fit(const Tensor& data, const Tensor& labels, const Tensor& init) {
  Tensor own = matrix(data, "umap", "data");
  const int64_t n = own.size(0), dims = options_.components;
  check<ShapeError>(n >= 1 && own.size(1) >= 1, "umap",
                    "data expects at least one row and one column, got ", own.shape());
  notes_.clear();
  embedding_ = {};
  data_ = own;
  build_graph(labels);
  std::vector<float> places(static_cast<size_t>(n * dims), 0.0f);
  if (n > 1) {
    places = start(init);
    LayoutOptions layout;
    layout.curve = curve_;
    layout.epochs = options_.epochs > 0 ? options_.epochs : n <= 10'000 ? 500 : 200;
    layout.learning_rate = options_.learning_rate;
    layout.repulsion = options_.repulsion;
    layout.negative_rate = options_.negative_rate;
    layout.seed = options_.seed;
    layout.order = options_.order;
    optimize_layout(places, dims, graph_, layout);
    int64_t lost = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (graph_.begin[i] < graph_.begin[i + 1]) continue;
      std::fill_n(places.begin() + i * dims, dims, std::numeric_limits<float>::quiet_NaN());
      ++lost;
    }
    if (lost > 0)
      notes_.push_back(std::to_string(lost) +
                       " rows are connected to no other and have no place (NaN)");
  }
  embedding_ = Tensor::from(places, {n, dims});
  return embedding_;
}

int64_t Umap::transform_epochs(int64_t rows) const {
  if (options_.epochs > 0) return options_.epochs / 3;
  return rows <= 10'000 ? 100 : 30;
}

Tensor Umap::transform(const Tensor& data) const {
  check<StateError>(fitted(), "umap", "transform expects a fitted map; call fit first");
  const Tensor rows = matrix(data, "umap", "data");
  check<ShapeError>(rows.size(1) == columns(), "umap", "data expects ", columns(),
                    " columns as in the fit, got ", rows.size(1));
  const int64_t m = rows.size(0), dims = options_.components;
  if (m == 0) return Tensor::empty({0, dims});
  const Placed placed(data_, embedding_);
  const Points& training = placed.points;
  check<StateError>(training.rows > 0, "umap", "transform expects a map with places");
  const int64_t k = std::min(neighbors_, training.rows);
  const Neighbors near = find_neighbors(training, view(rows), k, options_.exact_limit);
  const Scales scales = smooth_scales(near, std::max(0.0, options_.local_connectivity - 1));
  const Graph graph = membership(near, scales, training.rows, true);
  const std::vector<float>& anchors = placed.places;
  std::vector<float> places = weighted_places(graph, near, anchors, dims);
  LayoutOptions layout;
  layout.curve = curve_;
  layout.epochs = transform_epochs(m);
  layout.learning_rate = options_.learning_rate / 4;
  layout.repulsion = options_.repulsion;
  layout.negative_rate = options_.negative_rate;
  layout.seed = options_.transform_seed;
  optimize_layout(places, anchors, dims, graph, layout);
  return Tensor::from(places, {m, dims});
}

Tensor Umap::inverse_transform(const Tensor& query) const {
  check<StateError>(fitted(), "umap", "inverse_transform expects a fitted map; call fit first");
  const Tensor points = matrix(query, "umap", "points");
  check<ShapeError>(points.size(1) == options_.components, "umap", "points expect ",
                    options_.components, " coordinates as the map, got ", points.size(1));
  const int64_t m = points.size(0);
  InverseOptions o;
  o.neighbors = options_.inverse_neighbors > 0 ? options_.inverse_neighbors : columns();
  o.epochs = options_.inverse_epochs >= 0 ? options_.inverse_epochs : transform_epochs(m);
  o.curve = curve_;
  o.learning_rate = options_.learning_rate / 4;
  o.repulsion = options_.repulsion;
  o.negative_rate = options_.negative_rate;
  o.seed = options_.transform_seed;
  const std::vector<float> rows = invert(view(data_), view(embedding_), scales_, view(points), o);
  return Tensor::from(rows, {m, columns()});
}

}  // namespace cytograd
