#include <algorithm>
#include <limits>

#include "cluster/assignment.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"

namespace cytograd::cluster {
namespace {

double squared_distance(std::span<const double> x, std::span<const double> y) {
  double sum = 0;
  for (size_t l = 0; l < x.size(); ++l) sum += (x[l] - y[l]) * (x[l] - y[l]);
  return sum;
}

Assignment assign(const Curves& curves, const Curves& centroids) {
  const int64_t k = centroids.rows;
  std::vector<double> distances(static_cast<size_t>(curves.rows * k));
  parallel_for(curves.rows, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t c = 0; c < k; ++c)
        distances[static_cast<size_t>(i * k + c)] =
            squared_distance(curves.row(i), centroids.row(c));
  });
  return nearest(distances, k);
}

// k-means++: each next centroid is a curve drawn by its squared distance to those before.
std::vector<int64_t> spread_rows(const Curves& curves, int64_t k, uint64_t seed, int64_t start) {
  Rng rng(seed, "k-means++", static_cast<uint64_t>(start));
  std::vector<int64_t> out{rng.below(curves.rows)};
  std::vector<double> nearest_so_far(static_cast<size_t>(curves.rows),
                                     std::numeric_limits<double>::infinity());
  while (static_cast<int64_t>(out.size()) < k) {
    double total = 0;
    for (int64_t i = 0; i < curves.rows; ++i) {
      double& d = nearest_so_far[static_cast<size_t>(i)];
      d = std::min(d, squared_distance(curves.row(i), curves.row(out.back())));
      total += d;
    }
    // Curves that are all alike: any row not yet taken.
    double left = rng.uniform() * total;
    int64_t chosen = -1;
    for (int64_t i = 0; i < curves.rows; ++i) {
      const double d = nearest_so_far[static_cast<size_t>(i)];
      if (std::find(out.begin(), out.end(), i) != out.end()) continue;
      if (total > 0 && d == 0) continue;
      chosen = i;
      left -= d;
      if (left < 0 || total == 0) break;
    }
    for (int64_t i = 0; chosen < 0; ++i)
      if (std::find(out.begin(), out.end(), i) == out.end()) chosen = i;
    out.push_back(chosen);
  }
  return out;
}

Curves means(const Curves& curves, const Assignment& a, int64_t k) {
  const std::vector<int64_t> count = sizes(a, k);
  Curves out{k, curves.length, {}};
  out.values.assign(static_cast<size_t>(k * curves.length), 0.0);
  for (int64_t i = 0; i < curves.rows; ++i) {
    const std::span<double> to = out.row(a.labels[static_cast<size_t>(i)]);
    const std::span<const double> from = curves.row(i);
    for (size_t l = 0; l < from.size(); ++l) to[l] += from[l];
  }
  for (int64_t c = 0; c < k; ++c)
    for (double& v : out.row(c)) v /= static_cast<double>(count[static_cast<size_t>(c)]);
  return out;
}

Clusters run(const Curves& curves, const KMeansOptions& options,
             const std::vector<int64_t>& initial) {
  Clusters out;
  out.centroids = curves.subset(initial);
  const auto assigned = [&] {
    Assignment a = assign(curves, out.centroids);
    reseed_empty(curves, a, out.centroids);
    out.inertia = 0;
    for (const double d : a.distances) out.inertia += d;
    out.history.push_back(out.inertia);
    return a;
  };
  Assignment now = assigned();
  while (out.iterations < options.max_iterations) {
    out.centroids = means(curves, now, options.k);
    ++out.iterations;
    Assignment next = assigned();
    const bool settled = next.labels == now.labels;
    now = std::move(next);
    if (settled) break;
  }
  out.labels = std::move(now.labels);
  return out;
}

}  // namespace

Clusters k_means(const Curves& curves, const KMeansOptions& options) {
  check_options("k_means", curves, options.k, options.starts, options.max_iterations,
                options.initial);
  if (!options.initial.empty()) return run(curves, options, options.initial);
  Clusters best;
  for (int64_t start = 0; start < options.starts; ++start) {
    Clusters found = run(curves, options, spread_rows(curves, options.k, options.seed, start));
    if (start == 0 || found.inertia < best.inertia) best = std::move(found);
  }
  return best;
}

}  // namespace cytograd::cluster
