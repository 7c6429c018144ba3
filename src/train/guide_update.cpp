#include "cytograd/train/guide_update.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/umap/umap.h"

namespace cytograd {
namespace {

struct UpdateRow {
  const char* name;
  GuideUpdate (*make)(const TrainConfig&);
};

// The inverse image of a class's point in an embedding that keeps classes apart is near its mean;
// this is that limit.
GuideUpdate class_mean(const TrainConfig&) {
  return [](const GuideUpdateInput& in) { return GuideStep{class_means(in.rows)}; };
}

// A supervised map of the embeddings that starts from the guide, and back from its points: from
// where the guide has a class, or from where the map has put it.
GuideStep umap_points(const GuideUpdateInput& in, bool from_map) {
  const LabelledRows& rows = in.rows;
  const auto classes = static_cast<size_t>(rows.classes);
  std::vector<int64_t> counts(classes), present;
  for (const int64_t y : rows.labels) ++counts[static_cast<size_t>(y)];
  std::vector<Point2> points;
  for (size_t c = 0; c < classes; ++c)
    if (counts[c] > 0) {
      present.push_back(static_cast<int64_t>(c));
      points.push_back(in.guide[c]);
    }
  points = unit_box(points);
  std::vector<size_t> place(classes);
  for (size_t i = 0; i < present.size(); ++i) place[static_cast<size_t>(present[i])] = i;
  std::vector<double> start;
  for (const int64_t y : rows.labels) {
    const Point2& p = points[place[static_cast<size_t>(y)]];
    start.insert(start.end(), {p[0], p[1]});
  }
  UmapOptions options;
  options.seed = in.seed;
  options.epochs = in.config.umap_epochs;
  options.learning_rate = in.config.umap_lr;
  Umap umap(options);
  const Tensor map = umap.fit(Tensor::from(rows.values, {rows.size(), rows.width}),
                              Tensor::from(rows.labels), Tensor::from(start, {rows.size(), 2}));
  const std::vector<double> at = map.to_vector<double>();
  std::vector<Point2> centers(points.size());
  for (size_t i = 0; i < rows.labels.size(); ++i)
    for (size_t k = 0; k < 2; ++k) {
      const auto c = static_cast<size_t>(rows.labels[i]);
      centers[place[c]][k] += at[2 * i + k] / static_cast<double>(counts[c]);
    }
  GuideStep out;
  out.drift = 0;
  for (size_t i = 0; i < points.size(); ++i)
    out.drift += std::hypot(centers[i][0] - points[i][0], centers[i][1] - points[i][1]) /
                 static_cast<double>(points.size());
  if (from_map) points = centers;
  std::vector<float> queries;
  for (const Point2& p : points)
    queries.insert(queries.end(), {static_cast<float>(p[0]), static_cast<float>(p[1])});
  const auto n = static_cast<int64_t>(points.size());
  const std::vector<double> back =
      umap.inverse_transform(Tensor::from(queries, {n, 2})).to_vector<double>();
  // Classes without samples keep what they have; the trainer does not look at their rows.
  std::vector<double> u(classes * static_cast<size_t>(rows.width));
  const auto width = static_cast<std::ptrdiff_t>(rows.width);
  for (size_t i = 0; i < present.size(); ++i)
    std::copy_n(back.begin() + static_cast<std::ptrdiff_t>(i) * width, width,
                u.begin() + present[i] * width);
  out.u = Tensor::from(u, {rows.classes, rows.width});
  return out;
}

GuideUpdate umap_guide(const TrainConfig&) {
  return [](const GuideUpdateInput& in) { return umap_points(in, false); };
}
GuideUpdate umap_centroid(const TrainConfig&) {
  return [](const GuideUpdateInput& in) { return umap_points(in, true); };
}

const UpdateRow updates[] = {
    {"umap", umap_guide},
    {"umap-centroid", umap_centroid},
    {"class-mean", class_mean},
};

}  // namespace

std::vector<std::string> guide_update_names() {
  std::vector<std::string> out;
  for (const UpdateRow& row : updates) out.emplace_back(row.name);
  return out;
}

GuideUpdate guide_update_of(const TrainConfig& config) {
  for (const UpdateRow& row : updates)
    if (config.guide_update == row.name) return row.make(config);
  throw ConfigError("unknown guide update " + config.guide_update);
}

Tensor class_means(const LabelledRows& rows) {
  const auto width = static_cast<size_t>(rows.width), classes = static_cast<size_t>(rows.classes);
  std::vector<double> sums(classes * width), counts(classes);
  for (int64_t i = 0; i < rows.size(); ++i) {
    const auto c = static_cast<size_t>(rows.labels[static_cast<size_t>(i)]);
    ++counts[c];
    for (size_t k = 0; k < width; ++k) sums[c * width + k] += rows.row(i)[k];
  }
  for (size_t c = 0; c < classes; ++c)
    for (size_t k = 0; k < width; ++k)
      sums[c * width + k] = counts[c] > 0 ? sums[c * width + k] / counts[c]
                                          : std::numeric_limits<double>::quiet_NaN();
  return Tensor::from(sums, {rows.classes, rows.width});
}

double mean_distance(const Tensor& a, const Tensor& b, const std::vector<bool>& present) {
  check<ShapeError>(
      a.shape() == b.shape() && a.ndim() == 2 && a.size(0) == static_cast<int64_t>(present.size()),
      "mean_distance", "expects two [C, n], got ", a.shape(), " and ", b.shape());
  const std::vector<double> from = a.to_vector<double>(), to = b.to_vector<double>();
  const auto n = static_cast<size_t>(a.size(1));
  double sum = 0, count = 0;
  for (size_t c = 0; c < present.size(); ++c) {
    if (!present[c]) continue;
    double square = 0;
    for (size_t k = c * n; k < (c + 1) * n; ++k) square += (from[k] - to[k]) * (from[k] - to[k]);
    sum += std::sqrt(square);
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

Tensor low_pass(const Tensor& e, const Tensor& u, double keep, const std::vector<bool>& present) {
  check<ShapeError>(
      e.shape() == u.shape() && e.ndim() == 2 && e.size(0) == static_cast<int64_t>(present.size()),
      "low_pass", "expects e and u [C, n], got ", e.shape(), " and ", u.shape());
  std::vector<double> out = e.to_vector<double>();
  const std::vector<double> to = u.to_vector<double>();
  const auto n = static_cast<size_t>(e.size(1));
  for (size_t c = 0; c < present.size(); ++c)
    for (size_t k = 0; present[c] && k < n; ++k) {
      double& value = out[c * n + k];
      value = keep * value + (1 - keep) * to[c * n + k];
      if (!std::isfinite(value))
        throw DivergedError("guide update: the new point of class " + std::to_string(c) +
                            " is not finite [nan]");
    }
  return Tensor::from(out, e.shape());
}

}  // namespace cytograd
