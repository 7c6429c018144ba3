#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"

namespace cytograd::detection {

/// Places drawn from a list of candidates, each in rising order.
struct Sampled {
  std::vector<int64_t> positive, negative;
  /// Both together, in rising order.
  std::vector<int64_t> all() const {
    std::vector<int64_t> out;
    out.reserve(positive.size() + negative.size());
    std::merge(positive.begin(), positive.end(), negative.begin(), negative.end(),
               std::back_inserter(out));
    return out;
  }
};

namespace detail {

/// `count` of the items without replacement, in rising order: the first steps of Fisher-Yates.
inline std::vector<int64_t> draw(std::vector<int64_t> items, size_t count, Rng& rng) {
  if (count >= items.size()) return items;
  for (size_t i = 0; i < count; ++i)
    std::swap(items[i],
              items[i + static_cast<size_t>(rng.below(static_cast<int64_t>(items.size() - i)))]);
  items.resize(count);
  std::sort(items.begin(), items.end());
  return items;
}

}  // namespace detail

/// Draws at most `count` candidates, at most floor(count fraction) of them positive (label >= 1);
/// the rest are negative (label 0) as far as there are. Other labels are never drawn. Uniform,
/// without replacement; depends on the labels and `rng` alone.
/// @throws ValueError for count < 0 or a fraction outside [0, 1]
inline Sampled sample(const std::vector<int64_t>& labels, int64_t count, double fraction, Rng rng) {
  check<ValueError>(count >= 0 && fraction >= 0 && fraction <= 1, "sample",
                    "expects count >= 0 and a fraction in [0, 1], got ", count, " and ", fraction);
  Sampled candidates;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= 1) candidates.positive.push_back(static_cast<int64_t>(i));
    if (labels[i] == 0) candidates.negative.push_back(static_cast<int64_t>(i));
  }
  const auto most = static_cast<size_t>(std::floor(static_cast<double>(count) * fraction));
  const size_t positive = std::min(candidates.positive.size(), most),
               negative =
                   std::min(candidates.negative.size(), static_cast<size_t>(count) - positive);
  Sampled out;
  out.positive = detail::draw(std::move(candidates.positive), positive, rng);
  out.negative = detail::draw(std::move(candidates.negative), negative, rng);
  return out;
}

}  // namespace cytograd::detection
