#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

/// @file
/// Which triplets of a batch count. A mean of hinges over chosen triplets is linear in the
/// distances, (1/count) (sum_ij c_ij d_ij + margin active), so miners return the c_ij; none walks
/// over all triplets: those that take every triplet sort each anchor's positives and count.

namespace cytograd::losses {

/// Triplets (anchor a, positive p, negative q), hinge h = d_ap - d_aq + margin.
enum class Mining {
  batch_hard,     ///< per anchor the farthest positive and the nearest negative; mean over anchors
                  ///< that have both, hinges of 0 included
  semi_hard,      ///< all with d_ap < d_aq < d_ap + margin
  all_hard,       ///< all with d_aq <= d_ap
  all_violating,  ///< all with h > 0
};

/// @throws ValueError listing the names
inline Mining mining_of(const std::string& name) {
  if (name == "batch_hard") return Mining::batch_hard;
  if (name == "semi_hard") return Mining::semi_hard;
  if (name == "all_hard") return Mining::all_hard;
  check<ValueError>(name == "all_violating", "mining",
                    "expects batch_hard, semi_hard, all_hard or all_violating, got ", name);
  return Mining::all_violating;
}

struct Mined {
  std::vector<double> coefficients;  ///< c, [rows, columns]
  double margins = 0;                ///< margin times the number of hinges above 0
  int64_t count = 0;                 ///< what the sum is divided by
};

/// Distances of anchors (rows) to samples (columns), with the class of each; `self` is the column
/// of an anchor itself, or -1.
struct MiningInput {
  const std::vector<double>& distances;
  const std::vector<int64_t>& row_labels;
  const std::vector<int64_t>& column_labels;
  bool rows_are_columns = true;
  double margin = 0.2;

  size_t rows() const { return row_labels.size(); }
  size_t columns() const { return column_labels.size(); }
  double at(size_t a, size_t j) const { return distances[a * columns() + j]; }
  bool positive(size_t a, size_t j) const {
    return row_labels[a] == column_labels[j] && !(rows_are_columns && a == j);
  }
  bool negative(size_t a, size_t j) const { return row_labels[a] != column_labels[j]; }
};

namespace detail {

/// Farthest positive, nearest negative, ties to the lowest column.
inline Mined mine_hardest(const MiningInput& in) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Mined out{std::vector<double>(in.rows() * in.columns())};
  for (size_t a = 0; a < in.rows(); ++a) {
    size_t p = in.columns(), q = in.columns();
    double far = -infinity, near = infinity;
    for (size_t j = 0; j < in.columns(); ++j) {
      const double d = in.at(a, j);
      if (in.positive(a, j) && d > far) far = d, p = j;
      if (in.negative(a, j) && d < near) near = d, q = j;
    }
    if (p == in.columns() || q == in.columns()) continue;
    ++out.count;
    if (far - near + in.margin <= 0) continue;
    out.coefficients[a * in.columns() + p] += 1;
    out.coefficients[a * in.columns() + q] -= 1;
    out.margins += in.margin;
  }
  return out;
}

/// Every triplet whose d_aq lies in a range given by d_ap. The positives of an anchor are sorted; a
/// negative is in the triplets of a range of them: O(columns log positives) per anchor.
inline Mined mine_all(const MiningInput& in, Mining mining) {
  Mined out{std::vector<double>(in.rows() * in.columns())};
  std::vector<int64_t> counts(in.rows());
  parallel_for(static_cast<int64_t>(in.rows()), 8, [&](int64_t begin, int64_t end) {
    std::vector<std::pair<double, size_t>> positives;
    std::vector<double> sorted;  // their distances
    std::vector<int64_t> steps;
    for (auto a = static_cast<size_t>(begin); a < static_cast<size_t>(end); ++a) {
      positives.clear();
      for (size_t j = 0; j < in.columns(); ++j)
        if (in.positive(a, j)) positives.emplace_back(in.at(a, j), j);
      std::sort(positives.begin(), positives.end());
      sorted.clear();
      for (const auto& p : positives) sorted.push_back(p.first);
      // How many positives lie below a place. Few are counted, many halved; neither branches, as
      // the result is chance.
      const auto below = [&](auto&& holds) -> std::ptrdiff_t {
        std::ptrdiff_t count = 0;
        if (sorted.size() <= 32) {
          for (const double p : sorted) count += holds(p) ? 1 : 0;
          return count;
        }
        const double* at = sorted.data();
        size_t left = sorted.size();
        for (; left > 1; left -= left / 2) at += holds(at[left / 2 - 1]) ? left / 2 : 0;
        return at - sorted.data() + (holds(*at) ? 1 : 0);
      };
      // How many triplets each positive is in, as steps between neighbours of the sorted order.
      steps.assign(positives.size() + 1, 0);
      const auto n = static_cast<std::ptrdiff_t>(positives.size());
      double* c = out.coefficients.data() + a * in.columns();
      for (size_t q = 0; q < in.columns() && n > 0; ++q) {
        if (!in.negative(a, q)) continue;
        const double d = in.at(a, q);
        const auto nearer = [d](double p) { return p < d; };
        const auto first = mining == Mining::all_hard
                               ? below(nearer)
                               : below([&](double p) { return p + in.margin <= d; });
        const auto last = mining == Mining::semi_hard ? below(nearer) : n;
        if (last <= first) continue;
        c[q] -= static_cast<double>(last - first);
        ++steps[static_cast<size_t>(first)];
        --steps[static_cast<size_t>(last)];
        counts[a] += last - first;
      }
      int64_t times = 0;
      for (size_t p = 0; p < positives.size(); ++p) {
        times += steps[p];
        c[positives[p].second] += static_cast<double>(times);
      }
    }
  });
  out.count = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  out.margins = in.margin * static_cast<double>(out.count);
  return out;
}

}  // namespace detail

/// @throws ValueError if the margin is negative or not finite. A NaN distance gives NaN
/// coefficients, so that the loss is NaN.
inline Mined mine(const MiningInput& in, Mining mining) {
  check<ValueError>(in.margin >= 0 && std::isfinite(in.margin), "mining",
                    "margin expects a finite number >= 0, got ", in.margin);
  for (const double d : in.distances)
    if (std::isnan(d)) return {std::vector<double>(in.distances.size(), d), 0, 1};
  return mining == Mining::batch_hard ? detail::mine_hardest(in) : detail::mine_all(in, mining);
}

}  // namespace cytograd::losses
