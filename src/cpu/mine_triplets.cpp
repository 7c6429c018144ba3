#include "kernels/mine_triplets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

// Anchor `a` with its row of distances.
template <class T>
struct Anchor {
  const T* distances;
  const int64_t* labels;
  int64_t columns, label, self;

  bool positive(int64_t j) const { return labels[j] == label && j != self; }
  bool negative(int64_t j) const { return labels[j] != label; }
  bool has_nan() const {
    return std::any_of(distances, distances + columns, [](T d) { return std::isnan(d); });
  }
};

struct Counts {
  int64_t count = 0, active = 0;
};

template <class T>
Counts hardest(const Anchor<T>& anchor, double margin, T* c) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  int64_t p = -1, q = -1;
  double far = -infinity, near = infinity;
  for (int64_t j = 0; j < anchor.columns; ++j) {
    const double d = anchor.distances[j];
    if (anchor.positive(j) && d > far) far = d, p = j;
    if (anchor.negative(j) && d < near) near = d, q = j;
  }
  if (p < 0 || q < 0) return {};
  if (far - near + margin <= 0) return {1, 0};
  c[p] += 1;
  c[q] -= 1;
  return {1, 1};
}

// Working memory of a thread.
struct Sorted {
  std::vector<std::pair<double, int64_t>> positives;
  std::vector<double> distances;  // of the positives
  std::vector<int64_t> steps;
};

// How many of the sorted distances `holds` is true for, the first ones. Few are counted, many
// halved; neither branches, as the result is chance.
template <class Holds>
int64_t how_many(const std::vector<double>& sorted, Holds holds) {
  if (sorted.size() <= 32) {
    int64_t count = 0;
    for (const double p : sorted) count += holds(p) ? 1 : 0;
    return count;
  }
  const double* at = sorted.data();
  size_t left = sorted.size();
  for (; left > 1; left -= left / 2) at += holds(at[left / 2 - 1]) ? left / 2 : 0;
  return at - sorted.data() + (holds(*at) ? 1 : 0);
}

template <class T>
Counts all(const Anchor<T>& anchor, const MiningOptions& options, Sorted& work, T* c) {
  auto& [positives, distances, steps] = work;
  positives.clear();
  for (int64_t j = 0; j < anchor.columns; ++j)
    if (anchor.positive(j)) positives.emplace_back(anchor.distances[j], j);
  if (positives.empty()) return {};
  std::sort(positives.begin(), positives.end());
  distances.clear();
  for (const auto& p : positives) distances.push_back(p.first);
  // How many triplets each positive is in, as steps between neighbours of the sorted order.
  const auto n = static_cast<int64_t>(positives.size());
  steps.assign(positives.size() + 1, 0);
  const Mining mining = options.mining;
  const double margin = options.margin;
  int64_t triplets = 0;
  for (int64_t q = 0; q < anchor.columns; ++q) {
    if (!anchor.negative(q)) continue;
    const double d = anchor.distances[q];
    const int64_t first =
        how_many(distances, [=](double p) { return !positive_fits(mining, margin, p, d); });
    const int64_t last =
        mining == Mining::semi_hard ? how_many(distances, [d](double p) { return p < d; }) : n;
    if (last <= first) continue;
    c[q] -= static_cast<T>(last - first);
    ++steps[static_cast<size_t>(first)];
    --steps[static_cast<size_t>(last)];
    triplets += last - first;
  }
  int64_t times = 0;
  for (size_t p = 0; p < positives.size(); ++p) {
    times += steps[p];
    c[positives[p].second] += static_cast<T>(times);
  }
  return {triplets, triplets};
}

template <class T>
void mine(const Tensor& distances, const int64_t* row_labels, const int64_t* column_labels,
          const MiningOptions& options, const Tensor& coefficients, int64_t* counts) {
  const int64_t rows = distances.size(0), columns = distances.size(1);
  std::vector<Counts> found(static_cast<size_t>(rows));
  parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
    Sorted work;
    for (int64_t a = begin; a < end; ++a) {
      const Anchor<T> anchor{distances.data<T>() + a * columns, column_labels, columns,
                             row_labels[a], options.rows_are_columns ? a : -1};
      T* const c = coefficients.data<T>() + a * columns;
      if (anchor.has_nan()) {
        std::fill(c, c + columns, std::numeric_limits<T>::quiet_NaN());
        continue;
      }
      std::fill(c, c + columns, T(0));
      found[static_cast<size_t>(a)] = options.mining == Mining::batch_hard
                                          ? hardest(anchor, options.margin, c)
                                          : all(anchor, options, work, c);
    }
  });
  counts[0] = counts[1] = 0;
  for (const Counts& row : found) {
    counts[0] += row.count;
    counts[1] += row.active;
  }
}

}  // namespace

void mine_triplets(CpuContext, const Tensor& distances, const Tensor& row_labels,
                   const Tensor& column_labels, const MiningOptions& options,
                   const Tensor& coefficients, const Tensor& counts) {
  const auto *rows = row_labels.data<int64_t>(), *columns = column_labels.data<int64_t>();
  if (distances.dtype() == Dtype::float32)
    mine<float>(distances, rows, columns, options, coefficients, counts.data<int64_t>());
  else
    mine<double>(distances, rows, columns, options, coefficients, counts.data<int64_t>());
}

}  // namespace cytograd::kernels
