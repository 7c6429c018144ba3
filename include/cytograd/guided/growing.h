#pragma once

#include <algorithm>
#include <cstdint>

#include "cytograd/core/error.h"

namespace cytograd {

/// Epochs, counted from 0, that a growing embedding spends in the plane of the guide.
inline constexpr int64_t guide_epochs = 3;

/// How the embedding grows: n(epoch) = min(2 + factor max(epoch - 2, 0), longest).
struct Growth {
  int64_t longest = 64, factor = 1;

  /// 4 per epoch from 1024 components on, else 1.
  static int64_t default_factor(int64_t longest) { return longest >= 1024 ? 4 : 1; }

  int64_t active(int64_t epoch) const {
    return std::min(2 + factor * std::max<int64_t>(epoch - 2, 0), longest);
  }
  /// The first epoch in which component `k` is in use.
  int64_t first_epoch(int64_t k) const { return k < 2 ? 0 : guide_epochs + (k - 2) / factor; }
};

/// @throws ConfigError unless longest >= 2 and factor >= 1
inline void check_growth(const Growth& growth) {
  if (growth.longest < 2)
    throw ConfigError(Fault{"cfg", "", "",
                            "an embedding of length " + std::to_string(growth.longest),
                            "--embedding of at least 2, the plane of the guide", ""});
  if (growth.factor < 1)
    throw ConfigError(Fault{"cfg", "", "", "growth by " + std::to_string(growth.factor),
                            "--grow-factor of at least 1", ""});
}

}  // namespace cytograd
