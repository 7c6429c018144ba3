#include "report/trajectory_parts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "cytograd/core/error.h"
#include "cytograd/multimodal/morphology.h"

namespace cytograd::trajectory {

using multimodal::Trajectory;

const std::array<const char*, 6> morphology_titles = {"nucleus area / cell", "nuclear lobes",
                                                      "nuclear solidity",    "cell area",
                                                      "granularity",         "basophilia"};

std::array<std::string, 6> morphology_units(const TrajectoryFigure& figure) {
  return {"", "", "", figure.microns_per_pixel > 0 ? "µm²" : "pixels", "", ""};
}

namespace {

using Rgb = std::array<uint8_t, 3>;

Rgb between(std::span<const Rgb> stops, double share) {
  const double at = std::clamp(share, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
  const auto i = std::min(static_cast<size_t>(at), stops.size() - 2);
  Rgb out{};
  for (size_t k = 0; k < 3; ++k)
    out[k] = static_cast<uint8_t>(std::lround(
        stops[i][k] + (at - static_cast<double>(i)) * (1.0 * stops[i + 1][k] - stops[i][k])));
  return out;
}

constexpr Rgb no_value = {190, 190, 190};

bool has_curves(const cluster::Curves& c, int64_t rows, int64_t length) {
  return c.rows == rows && c.length == length &&
         static_cast<int64_t>(c.values.size()) == rows * length;
}

// How far a curve goes the way of its cluster's: its projection onto that one's shape.
double extent_along(std::span<const double> curve, const std::vector<double>& shape) {
  double n = 0, curve_mean = 0, shape_mean = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    if (std::isfinite(curve[i]) && std::isfinite(shape[i]))
      curve_mean += curve[i], shape_mean += shape[i], ++n;
  if (n == 0) return 0;
  curve_mean /= n, shape_mean /= n;
  double product = 0, square = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    if (std::isfinite(curve[i]) && std::isfinite(shape[i])) {
      product += (curve[i] - curve_mean) * (shape[i] - shape_mean);
      square += (shape[i] - shape_mean) * (shape[i] - shape_mean);
    }
  return square > 0 ? product / std::sqrt(square) : 0;
}

}  // namespace

void check_figure(const char* op, const Trajectory& path, const TrajectoryFigure& f) {
  const auto steps = static_cast<int64_t>(path.t.size());
  const auto genes = static_cast<int64_t>(path.genes.size());
  check<ShapeError>(steps >= 1 && path.stations.size() == path.station_t.size(), op,
                    "expects steps, and a place for each station, got ", steps, " steps, ",
                    path.stations.size(), " stations, ", path.station_t.size(), " places");
  check<ShapeError>(has_curves(path.fold, genes, steps), op, "expects fold changes [", genes, ", ",
                    steps, "], got [", path.fold.rows, ", ", path.fold.length, "]");
  for (const cluster::Curves* band : {&path.fold_low, &path.fold_high, &path.expression})
    check<ShapeError>(band->rows == 0 || has_curves(*band, genes, steps), op,
                      "expects expression and bands [", genes, ", ", steps, "], got [", band->rows,
                      ", ", band->length, "]");
  check<ShapeError>(path.fold_low.rows == path.fold_high.rows, op,
                    "expects both sides of the bands");
  const auto& labels = path.clusters.labels;
  bool fits = labels.empty() || static_cast<int64_t>(labels.size()) == genes;
  for (const int64_t l : labels)
    fits &= l >= -1 && l < static_cast<int64_t>(path.clusters.clusters.size());
  for (const cluster::GeneCluster& c : path.clusters.clusters)
    fits &= static_cast<int64_t>(c.mean.size()) == steps && c.deviation.size() == c.mean.size();
  check<ShapeError>(fits, op, "expects clusters of these ", genes, " genes over ", steps, " steps");
  if (path.frames.defined())
    check<ShapeError>(path.frames.ndim() == 4 && path.frames.size(0) == steps &&
                          path.frames.size(1) == path.frames.size(2) && path.frames.size(3) == 3,
                      op, "expects frames [", steps, ", side, side, 3], got ", path.frames.shape());
  if (path.masks.defined())
    check<ShapeError>(
        path.masks.ndim() == 3 && path.frames.defined() &&
            path.masks.shape() == Shape{steps, path.frames.size(1), path.frames.size(2)},
        op, "expects a mask per frame, got ", path.masks.shape());
  for (const auto* s : {&path.support.image, &path.support.rna})
    check<ShapeError>(s->empty() || static_cast<int64_t>(s->size()) == steps, op,
                      "expects support at ", steps, " steps, got ", s->size());
  fits = f.morphology.empty() || static_cast<int64_t>(f.morphology.size()) == steps;
  for (const auto& row : f.morphology) fits &= row.size() == morphology_titles.size();
  check<ShapeError>(fits, op, "expects morphology [", steps, "][6]");
  for (const multimodal::Driver& d : f.drivers)
    check<ShapeError>(d.gene >= 0 && d.gene < genes, op, "expects drivers among ", genes,
                      " genes, got gene ", d.gene);
}

int64_t cluster_of(const Trajectory& path, int64_t gene) {
  return path.clusters.labels.empty() ? -1 : path.clusters.labels[static_cast<size_t>(gene)];
}

std::string cluster_name(const Trajectory& path, int64_t gene) {
  const int64_t c = cluster_of(path, gene);
  return c < 0 ? "flat" : path.clusters.clusters[static_cast<size_t>(c)].name;
}

std::vector<int64_t> heat_order(const Trajectory& path) {
  struct Row {
    std::string cluster;
    double peak;
    std::string symbol;
    int64_t gene;
    auto key() const { return std::tie(cluster, peak, symbol, gene); }
  };
  std::vector<Row> rows;
  for (int64_t g = 0; g < static_cast<int64_t>(path.genes.size()); ++g) {
    if (cluster_of(path, g) < 0) continue;
    const auto curve = path.fold.row(g);
    size_t best = 0;
    for (size_t i = 1; i < curve.size(); ++i)
      if (curve[i] > curve[best] || std::isnan(curve[best])) best = i;
    rows.push_back({cluster_name(path, g), path.t[best], path.genes[static_cast<size_t>(g)], g});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.key() < b.key(); });
  std::vector<int64_t> out;
  for (const Row& r : rows) out.push_back(r.gene);
  return out;
}

std::vector<double> clipped_scores(std::span<const double> row) {
  double n = 0, mean = 0, square = 0;
  for (const double v : row)
    if (std::isfinite(v)) mean += v, ++n;
  mean = n > 0 ? mean / n : 0;
  for (const double v : row)
    if (std::isfinite(v)) square += (v - mean) * (v - mean);
  const double deviation = n > 0 ? std::sqrt(square / n) : 0;
  const double unit = deviation > 1e-12 * std::max(1.0, std::abs(mean)) ? deviation : 0;
  std::vector<double> out(row.begin(), row.end());
  for (double& v : out)
    if (std::isfinite(v))
      v = unit > 0 ? std::clamp((v - mean) / unit, -2.0, 2.0) : 0.0;
    else
      v = std::numeric_limits<double>::quiet_NaN();
  return out;
}

std::array<uint8_t, 3> score_color(double z) {
  static constexpr std::array<Rgb, 9> stops = {{{33, 102, 172},
                                                {67, 147, 195},
                                                {146, 197, 222},
                                                {209, 229, 240},
                                                {247, 247, 247},
                                                {253, 219, 199},
                                                {244, 165, 130},
                                                {214, 96, 77},
                                                {178, 24, 43}}};
  return std::isfinite(z) ? between(stops, (z + 2) / 4) : no_value;
}

std::array<uint8_t, 3> support_color(double percentile) {
  static constexpr std::array<Rgb, 3> stops = {{{229, 239, 246}, {122, 170, 204}, {42, 92, 138}}};
  return std::isfinite(percentile) ? between(stops, percentile / 100) : no_value;
}

std::array<uint8_t, 3> cluster_color(const Trajectory& path, int64_t cluster) {
  if (cluster < 0) return {127, 127, 127};
  const auto& all = path.clusters.clusters;
  const cluster::Trend trend = all[static_cast<size_t>(cluster)].trend;
  Rgb out = {127, 127, 127};
  if (trend == cluster::Trend::up) out = {0, 138, 94};
  if (trend == cluster::Trend::down) out = {0, 98, 168};
  if (trend == cluster::Trend::transient_peak) out = {214, 126, 0};
  if (trend == cluster::Trend::transient_dip) out = {186, 84, 0};
  double lighter = 0;
  for (size_t c = 0; c < static_cast<size_t>(cluster); ++c)
    if (all[c].trend == trend) lighter += 0.28;
  for (uint8_t& v : out)
    v = static_cast<uint8_t>(std::lround(v + std::min(lighter, 0.6) * (255.0 - v)));
  return out;
}

double range_of(std::span<const double> curve) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : curve)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  return high > low ? high - low : 0;
}

std::vector<int64_t> highlighted(const Trajectory& path, const TrajectoryFigure& figure,
                                 std::vector<std::string>* missing) {
  std::vector<int64_t> out;
  for (const std::string& symbol : figure.highlight) {
    const auto at = std::find(path.genes.begin(), path.genes.end(), symbol);
    const int64_t gene = at - path.genes.begin();
    if (at == path.genes.end()) {
      if (missing) missing->push_back(symbol);
    } else if (std::find(out.begin(), out.end(), gene) == out.end()) {
      out.push_back(gene);
    }
  }
  if (!figure.highlight.empty()) return out;
  for (const cluster::GeneCluster& c : path.clusters.clusters) {
    std::vector<std::pair<double, int64_t>> strongest;
    for (const int64_t g : c.members)
      strongest.emplace_back(-extent_along(path.fold.row(g), c.mean), g);
    std::sort(strongest.begin(), strongest.end());
    for (size_t i = 0; i < std::min<size_t>(2, strongest.size()); ++i)
      out.push_back(strongest[i].second);
  }
  return out;
}

std::vector<int64_t> frame_steps(const std::vector<double>& t, int64_t count) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count; ++i) {
    const double want = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
    size_t best = 0;
    for (size_t k = 1; k < t.size(); ++k)
      if (std::abs(t[k] - want) < std::abs(t[best] - want)) best = k;
    out.push_back(static_cast<int64_t>(best));
  }
  return out;
}

Image frame_image(const Tensor& frames, int64_t step) {
  const int64_t side = frames.size(1);
  const std::vector<float> all =
      frames
          .as_strided({side, side, 3},
                      {frames.strides()[1], frames.strides()[2], frames.strides()[3]},
                      frames.offset() + step * frames.strides()[0])
          .to_vector<float>();
  return image_of(all.data(), nullptr, side, side);
}

std::vector<float> mask_at(const Tensor& masks, int64_t step) {
  return masks
      .as_strided({masks.size(1), masks.size(2)}, {masks.strides()[1], masks.strides()[2]},
                  masks.offset() + step * masks.strides()[0])
      .to_vector<float>();
}

}  // namespace cytograd::trajectory
