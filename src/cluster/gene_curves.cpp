#include "cytograd/cluster/gene_curves.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "cytograd/core/error.h"

namespace cytograd::cluster {
namespace {

double mean_of(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

double range_of(std::span<const double> x) {
  const auto [least, largest] = std::minmax_element(x.begin(), x.end());
  return *largest - *least;
}

// Ranks from 0, equal values with the mean of theirs.
std::vector<double> ranks(std::span<const double> x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> out(x.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) out[order[i]] = static_cast<double>(begin + end - 1) / 2;
    begin = end;
  }
  return out;
}

GeneCluster describe(const Curves& f, std::vector<int64_t> members) {
  GeneCluster out;
  const auto n = static_cast<size_t>(f.length);
  const auto count = static_cast<double>(members.size());
  out.mean.assign(n, 0.0);
  out.deviation.assign(n, 0.0);
  for (const int64_t i : members)
    for (size_t l = 0; l < n; ++l) out.mean[l] += f.row(i)[l] / count;
  for (const int64_t i : members)
    for (size_t l = 0; l < n; ++l) {
      const double d = f.row(i)[l] - out.mean[l];
      out.deviation[l] += d * d / count;
    }
  for (double& d : out.deviation) d = std::sqrt(d);
  out.trend = trend_of(out.mean);
  for (const int64_t i : members) {
    const double own = rise(f.row(i));
    if ((out.trend == Trend::up && own < 0) || (out.trend == Trend::down && own > 0))
      out.discordant.push_back(i);
  }
  out.members = std::move(members);
  return out;
}

void name_all(std::vector<GeneCluster>& clusters) {
  std::map<Trend, std::vector<size_t>> by_trend;
  for (size_t c = 0; c < clusters.size(); ++c) by_trend[clusters[c].trend].push_back(c);
  for (auto& [trend, same] : by_trend) {
    std::stable_sort(same.begin(), same.end(), [&clusters](size_t a, size_t b) {
      return clusters[a].members.size() > clusters[b].members.size();
    });
    for (size_t i = 0; i < same.size(); ++i)
      clusters[same[i]].name =
          name_of(trend) + (same.size() > 1 ? "-" + std::to_string(i + 1) : std::string());
  }
}

// The clusters for the k of the options, or for the best of several; silhouettes into `out`.
Clusters clusters_of(const Curves& curves, const KShapeOptions& options, GeneClusters& out) {
  const bool choose = options.k == 0;
  std::vector<Clusters> found;
  std::vector<std::vector<int64_t>> labelings;
  for (int64_t k = choose ? 2 : options.k; k <= (choose ? 6 : options.k); ++k) {
    if (choose && k > curves.rows) break;
    KShapeOptions own = options;
    own.k = k;
    found.push_back(k_shape(curves, own));
    labelings.push_back(found.back().labels);
  }
  check<ValueError>(!found.empty(), "cluster_genes",
                    "expects at least 2 genes that are not flat, got ", curves.rows);
  if (found.front().centroids.rows < 2) return found.front();
  out.silhouettes = shape_silhouettes(curves, labelings);
  const auto best = std::max_element(out.silhouettes.begin(), out.silhouettes.end());
  return found[static_cast<size_t>(best - out.silhouettes.begin())];
}

}  // namespace

const char* name_of(Trend trend) {
  switch (trend) {
    case Trend::flat:
      return "flat";
    case Trend::up:
      return "up";
    case Trend::down:
      return "down";
    case Trend::transient_peak:
      return "transient-peak";
    case Trend::transient_dip:
      return "transient-dip";
  }
  throw InternalError("name_of: no such trend");
}

double rise(std::span<const double> curve) {
  check<ShapeError>(!curve.empty(), "rise", "expects at least one point");
  const size_t tenth = std::max<size_t>(1, curve.size() / 10);
  return mean_of(curve.last(tenth)) - mean_of(curve.first(tenth));
}

double rank_correlation_with_time(std::span<const double> curve) {
  check<ShapeError>(!curve.empty(), "rank_correlation_with_time", "expects at least one point");
  const std::vector<double> r = ranks(curve);
  const double middle = static_cast<double>(curve.size() - 1) / 2;
  double product = 0, squares = 0, time = 0;
  for (size_t i = 0; i < r.size(); ++i) {
    const double t = static_cast<double>(i) - middle;
    product += t * (r[i] - middle);
    squares += (r[i] - middle) * (r[i] - middle);
    time += t * t;
  }
  return squares > 0 ? product / std::sqrt(squares * time) : 0;
}

Trend trend_of(std::span<const double> curve) {
  const double change = rise(curve), range = range_of(curve);
  if (range < 0.1) return Trend::flat;
  const double rho = rank_correlation_with_time(curve);
  if (change >= 0.5 * range && rho >= 0.5) return Trend::up;
  if (change <= -0.5 * range && rho <= -0.5) return Trend::down;
  const double first = curve.front();
  double farthest = first;
  for (const double v : curve)
    if (std::abs(v - first) > std::abs(farthest - first)) farthest = v;
  return farthest > first ? Trend::transient_peak : Trend::transient_dip;
}

std::vector<int64_t> moving_genes(const Curves& f, double flat_range) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < f.rows; ++i)
    if (!(range_of(f.row(i)) < flat_range)) out.push_back(i);
  return out;
}

GeneClusters cluster_genes(const Curves& f, const GeneClusterOptions& options) {
  check_curves("cluster_genes", f);
  check<ValueError>(options.shape.initial.empty(), "cluster_genes",
                    "initial expects no rows: they are counted after flat genes are left out");
  GeneClusters out;
  out.labels.assign(static_cast<size_t>(f.rows), -1);
  const std::vector<int64_t> moving = moving_genes(f, options.flat_range);
  for (int64_t i = 0; i < f.rows; ++i)
    if (!std::binary_search(moving.begin(), moving.end(), i)) out.flat.push_back(i);
  if (moving.empty()) return out;
  check<ValueError>(options.shape.k <= static_cast<int64_t>(moving.size()), "cluster_genes",
                    "k expects at most ", moving.size(), " (genes that are not flat), got ",
                    options.shape.k);
  const Clusters found = clusters_of(z_normalised(f.subset(moving)), options.shape, out);
  out.inertia = found.inertia;
  std::vector<std::vector<int64_t>> groups(static_cast<size_t>(found.centroids.rows));
  for (size_t i = 0; i < moving.size(); ++i) {
    groups[static_cast<size_t>(found.labels[i])].push_back(moving[i]);
    out.labels[static_cast<size_t>(moving[i])] = found.labels[i];
  }
  for (std::vector<int64_t>& group : groups) out.clusters.push_back(describe(f, std::move(group)));
  name_all(out.clusters);
  return out;
}

Curves fold_changes(const Curves& expression) {
  check_curves("fold_changes", expression);
  Curves out = expression;
  for (int64_t i = 0; i < out.rows; ++i) {
    const double mean = mean_of(out.row(i));
    for (double& v : out.row(i)) v /= mean + 1e-10;
  }
  return out;
}

std::vector<int64_t> thinned_steps(const Curves& f, double threshold) {
  check_curves("thinned_steps", f);
  std::vector<int64_t> out;
  for (size_t l = 0; l + 1 < static_cast<size_t>(f.length); ++l) {
    double change = 0;
    for (int64_t i = 0; i < f.rows; ++i) change += std::abs(f.row(i)[l + 1] - f.row(i)[l]);
    if (change > threshold) out.push_back(static_cast<int64_t>(l));
  }
  out.push_back(f.length - 1);
  return out;
}

}  // namespace cytograd::cluster
