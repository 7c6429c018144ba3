#include "cytograd/cluster/kshape.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "cluster/assignment.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

namespace cytograd::cluster {
namespace {

Assignment assign(const Curves& curves, const Curves& centroids) {
  std::vector<double> distances;
  for (const ShapeMatch& m : shape_matches(curves, centroids)) distances.push_back(m.distance);
  return nearest(distances, centroids.rows);
}

double inertia_of(const Assignment& a) {
  double sum = 0;
  for (const double d : a.distances) sum += d * d;
  return sum / static_cast<double>(a.distances.size());
}

// One start. Nothing if a cluster ran empty and that ends it.
std::optional<Clusters> run(const Curves& curves, const KShapeOptions& options,
                            const std::vector<int64_t>& initial) {
  const auto assigned = [&](Curves& centroids) {
    Assignment a = assign(curves, centroids);
    if (options.empty == EmptyCluster::reseed) reseed_empty(curves, a, centroids);
    return a;
  };
  const auto has_empty = [&](const Assignment& a) {
    const std::vector<int64_t> count = sizes(a, options.k);
    return std::find(count.begin(), count.end(), 0) != count.end();
  };
  Curves centroids = curves.subset(initial);
  Assignment now = assigned(centroids);
  if (has_empty(now)) return std::nullopt;
  Clusters out;
  out.history.push_back(inertia_of(now));
  double last = std::numeric_limits<double>::infinity();
  while (out.iterations < options.max_iterations) {
    Curves next{options.k, curves.length, {}};
    for (int64_t c = 0; c < options.k; ++c) {
      const auto shape = extract_shape(curves.subset(members(now, c)), centroids.row(c)).curve;
      next.values.insert(next.values.end(), shape.begin(), shape.end());
    }
    ++out.iterations;
    Assignment then = assigned(next);
    if (has_empty(then)) return std::nullopt;
    const double inertia = inertia_of(then);
    out.history.push_back(inertia);
    // Settled, or worse than before: the centroids before are the result.
    if (inertia > last || std::abs(last - inertia) < options.tolerance) break;
    last = inertia;
    centroids = std::move(next);
    now = std::move(then);
  }
  out.labels = now.labels;
  out.inertia = inertia_of(now);
  out.centroids = std::move(centroids);
  return out;
}

struct Sums {
  std::vector<double> total;   // per cluster
  std::vector<int64_t> count;  // members other than the row itself
};

double silhouette(const Sums& sums, size_t own) {
  if (sums.count[own] == 0) return 0;
  const double a = sums.total[own] / static_cast<double>(sums.count[own]);
  double b = std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < sums.total.size(); ++c)
    if (c != own && sums.count[c] > 0)
      b = std::min(b, sums.total[c] / static_cast<double>(sums.count[c]));
  const double larger = std::max(a, b);
  return larger > 0 ? (b - a) / larger : 0;
}

}  // namespace

Clusters k_shape(const Curves& curves, const KShapeOptions& options) {
  constexpr const char* op = "k_shape";
  check_options(op, curves, options.k, options.starts, options.max_iterations, options.initial);
  const int64_t starts = options.initial.empty() ? options.starts : 1;
  // Starts that ran empty are replaced, by at most 10.
  const int64_t tries = options.empty == EmptyCluster::restart ? starts + 10 : starts;
  std::optional<Clusters> best;
  int64_t done = 0;
  for (int64_t t = 0; t < tries && done < starts; ++t) {
    std::optional<Clusters> found =
        run(curves, options,
            options.initial.empty() ? random_rows(curves.rows, options.k, options.seed, t)
                                    : options.initial);
    if (!found) continue;
    ++done;
    if (!best || found->inertia < best->inertia) best = std::move(found);
  }
  check<StateError>(best.has_value(), op,
                    "a cluster was empty in every start; use fewer clusters, or reseed them");
  return *best;
}

std::vector<double> shape_silhouettes(const Curves& curves,
                                      const std::vector<std::vector<int64_t>>& labelings) {
  constexpr const char* op = "shape_silhouettes";
  check_curves(op, curves);
  std::vector<std::vector<int64_t>> counts;
  for (const std::vector<int64_t>& labels : labelings) {
    check<ShapeError>(static_cast<int64_t>(labels.size()) == curves.rows, op, "expects ",
                      curves.rows, " labels, got ", labels.size());
    std::vector<int64_t> count;
    for (const int64_t label : labels) {
      check<ValueError>(label >= 0 && label < curves.rows, op, "labels expect 0 to ",
                        curves.rows - 1, ", got ", label);
      count.resize(std::max(count.size(), static_cast<size_t>(label) + 1));
      ++count[static_cast<size_t>(label)];
    }
    check<ValueError>(
        std::count_if(count.begin(), count.end(), [](int64_t n) { return n > 0; }) >= 2, op,
        "expects at least two clusters");
    counts.push_back(std::move(count));
  }
  const auto rows = static_cast<size_t>(curves.rows);
  std::vector<double> each(labelings.size() * rows);
  parallel_for(curves.rows, 128, [&](int64_t begin, int64_t end) {
    Curves block{end - begin, curves.length, {}};
    block.values.assign(curves.values.begin() + begin * curves.length,
                        curves.values.begin() + end * curves.length);
    const std::vector<ShapeMatch> matches = shape_matches(block, curves);
    for (size_t g = 0; g < labelings.size(); ++g)
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        Sums sums{std::vector<double>(counts[g].size(), 0.0), counts[g]};
        const auto own = static_cast<size_t>(labelings[g][i]);
        --sums.count[own];
        for (size_t j = 0; j < rows; ++j)
          if (j != i)
            sums.total[static_cast<size_t>(labelings[g][j])] +=
                matches[(i - static_cast<size_t>(begin)) * rows + j].distance;
        each[g * rows + i] = silhouette(sums, own);
      }
  });
  std::vector<double> out;
  for (size_t g = 0; g < labelings.size(); ++g) {
    double sum = 0;
    for (size_t i = 0; i < rows; ++i) sum += each[g * rows + i];
    out.push_back(sum / static_cast<double>(rows));
  }
  return out;
}

}  // namespace cytograd::cluster
