#include "cluster/assignment.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"

namespace cytograd::cluster {

Assignment nearest(const std::vector<double>& distances, int64_t k) {
  const int64_t rows = static_cast<int64_t>(distances.size()) / k;
  Assignment out;
  for (int64_t i = 0; i < rows; ++i) {
    const auto first = distances.begin() + i * k, best = std::min_element(first, first + k);
    out.labels.push_back(best - first);
    out.distances.push_back(*best);
  }
  return out;
}

std::vector<int64_t> sizes(const Assignment& a, int64_t k) {
  std::vector<int64_t> out(static_cast<size_t>(k), 0);
  for (const int64_t label : a.labels) ++out[static_cast<size_t>(label)];
  return out;
}

std::vector<int64_t> members(const Assignment& a, int64_t cluster) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < a.labels.size(); ++i)
    if (a.labels[i] == cluster) out.push_back(static_cast<int64_t>(i));
  return out;
}

void reseed_empty(const Curves& curves, Assignment& a, Curves& centroids) {
  std::vector<int64_t> count = sizes(a, centroids.rows);
  for (int64_t c = 0; c < centroids.rows; ++c) {
    if (count[static_cast<size_t>(c)] > 0) continue;
    size_t farthest = a.labels.size();
    for (size_t i = 0; i < a.labels.size(); ++i)
      if (count[static_cast<size_t>(a.labels[i])] >= 2 &&
          (farthest == a.labels.size() || a.distances[i] > a.distances[farthest]))
        farthest = i;
    // There is one: no more clusters than rows.
    --count[static_cast<size_t>(a.labels[farthest])];
    ++count[static_cast<size_t>(c)];
    a.labels[farthest] = c;
    a.distances[farthest] = 0;
    const auto from = curves.row(static_cast<int64_t>(farthest));
    std::copy(from.begin(), from.end(), centroids.row(c).begin());
  }
}

std::vector<int64_t> random_rows(int64_t rows, int64_t k, uint64_t seed, int64_t start) {
  std::vector<int64_t> all(static_cast<size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  Rng rng(seed, "cluster start", static_cast<uint64_t>(start));
  for (int64_t i = 0; i < k; ++i)
    std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(i + rng.below(rows - i))]);
  all.resize(static_cast<size_t>(k));
  return all;
}

void check_options(const char* op, const Curves& curves, int64_t k, int64_t starts,
                   int64_t max_iterations, const std::vector<int64_t>& initial) {
  check_curves(op, curves);
  check<ValueError>(k >= 1 && k <= curves.rows, op, "k expects 1 to ", curves.rows,
                    " (curves), got ", k);
  check<ValueError>(starts >= 1 && max_iterations >= 1, op,
                    "starts and max_iterations expect >= 1, got ", starts, " and ", max_iterations);
  if (initial.empty()) return;
  const std::set<int64_t> different(initial.begin(), initial.end());
  check<ValueError>(static_cast<int64_t>(initial.size()) == k &&
                        initial.size() == different.size() && *different.begin() >= 0 &&
                        *different.rbegin() < curves.rows,
                    op, "initial expects ", k, " different rows below ", curves.rows);
}

}  // namespace cytograd::cluster
