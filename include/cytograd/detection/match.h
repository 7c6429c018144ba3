#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"

/// @file
/// Which annotated object a candidate box belongs to (Ren et al. 2015, section 3.1.2).

namespace cytograd::detection {

/// Results of `match` that are no object.
inline constexpr int64_t below_low = -1;  ///< best quality < low: background
inline constexpr int64_t between = -2;    ///< low <= best quality < high: neither

struct MatchOptions {
  float high = 0.5f, low = 0.5f;
  /// Candidates whose quality for some object is the best that object has (exactly) are matched
  /// too, to their own best object, which may be another one.
  bool low_quality = false;
  /// Leave out objects that meet no candidate at all. Without it, as in the published
  /// implementation, such an object turns every candidate it does not meet into a match.
  bool low_quality_requires_overlap = true;
};

namespace detail {

inline constexpr int64_t match_chunk = 1 << 12;

/// The best object of each candidate (the first of equal ones), its quality, and each object's best
/// quality.
struct BestMatches {
  std::vector<int64_t> object;
  std::vector<float> quality, of_object;
};

template <class Quality>
BestMatches best_matches(int64_t objects, int64_t candidates, const Quality& quality) {
  const int64_t chunks = (candidates + match_chunk - 1) / match_chunk;
  BestMatches best{std::vector<int64_t>(static_cast<size_t>(candidates)),
                   std::vector<float>(static_cast<size_t>(candidates)),
                   std::vector<float>(static_cast<size_t>(objects), 0.f)};
  std::vector<float> of_chunk(static_cast<size_t>(chunks * objects), 0.f);
  parallel_for(candidates, match_chunk, [&](int64_t begin, int64_t end) {
    float* row = of_chunk.data() + begin / match_chunk * objects;
    for (int64_t j = begin; j < end; ++j) {
      float largest = quality(int64_t{0}, j);
      int64_t at = 0;
      row[0] = std::max(row[0], largest);
      for (int64_t i = 1; i < objects; ++i) {
        const float q = quality(i, j);
        row[i] = std::max(row[i], q);
        if (q > largest) largest = q, at = i;
      }
      best.object[static_cast<size_t>(j)] = at;
      best.quality[static_cast<size_t>(j)] = largest;
    }
  });
  for (int64_t c = 0; c < chunks; ++c)
    for (int64_t i = 0; i < objects; ++i) {
      float& q = best.of_object[static_cast<size_t>(i)];
      q = std::max(q, of_chunk[static_cast<size_t>(c * objects + i)]);
    }
  return best;
}

}  // namespace detail

/// For each candidate the object it is matched to, `below_low` or `between`.
///
/// `quality(i, j)` is the overlap of object i with candidate j, >= 0 and never NaN; it is called
/// from several threads and more than once, so that no matrix is kept.
/// @throws ValueError for no objects (the caller knows what that means) or thresholds out of order
template <class Quality>
std::vector<int64_t> match(int64_t objects, int64_t candidates, const Quality& quality,
                           const MatchOptions& options) {
  check<ValueError>(objects >= 1, "match", "expects at least one object, got ", objects);
  check<ValueError>(options.low <= options.high, "match", "low must be <= high, got ", options.low,
                    " and ", options.high);
  const detail::BestMatches best = detail::best_matches(objects, candidates, quality);
  const auto best_of_an_object = [&](int64_t j) {
    const float mine = best.quality[static_cast<size_t>(j)];
    for (int64_t i = 0; i < objects; ++i) {
      const float wanted = best.of_object[static_cast<size_t>(i)];
      if (mine < wanted || (wanted <= 0 && options.low_quality_requires_overlap)) continue;
      if (quality(i, j) == wanted) return true;
    }
    return false;
  };
  std::vector<int64_t> out(best.object);
  parallel_for(candidates, detail::match_chunk, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const float q = best.quality[static_cast<size_t>(j)];
      if (q >= options.high || (options.low_quality && best_of_an_object(j))) continue;
      out[static_cast<size_t>(j)] = q < options.low ? below_low : between;
    }
  });
  return out;
}

}  // namespace cytograd::detection
