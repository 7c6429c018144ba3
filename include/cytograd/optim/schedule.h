#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"

/// @file
/// Learning-rate schedules: pure functions from a step (0-based, of updates or epochs, as the
/// caller counts) to a factor of the base learning rate. Without state, so resuming needs the step
/// alone.

namespace cytograd::optim {

using Schedule = std::function<double(int64_t step)>;

inline Schedule constant() {
  return [](int64_t) { return 1.0; };
}

/// gamma^(step / every), division rounded down. @throws ValueError if every < 1
inline Schedule step_decay(int64_t every, double gamma) {
  check<ValueError>(every >= 1, "step_decay", "every expects >= 1, got ", every);
  return [=](int64_t step) { return std::pow(gamma, static_cast<double>(step / every)); };
}

/// gamma to the number of `milestones` that are <= step.
inline Schedule multi_step(std::vector<int64_t> milestones, double gamma) {
  std::sort(milestones.begin(), milestones.end());
  return [=](int64_t step) {
    const auto passed = std::upper_bound(milestones.begin(), milestones.end(), step);
    return std::pow(gamma, static_cast<double>(passed - milestones.begin()));
  };
}

/// From 1 at step 0 to `low` at step `total`, along half a cosine; `low` from then on.
/// @throws ValueError if total < 1
inline Schedule cosine(int64_t total, double low = 0) {
  check<ValueError>(total >= 1, "cosine", "total expects >= 1, got ", total);
  return [=](int64_t step) {
    const double t =
        static_cast<double>(std::clamp<int64_t>(step, 0, total)) / static_cast<double>(total);
    return low + (1 - low) * 0.5 * (1 + std::cos(std::numbers::pi * t));
  };
}

/// Rises linearly over the first `steps` steps, (step + 1) / (steps + 1) of the value that `then`
/// has at its start; afterwards `then`, counted from the end of the rise.
/// @throws ValueError if steps < 0
inline Schedule warm_up(int64_t steps, Schedule then) {
  check<ValueError>(steps >= 0, "warm_up", "steps expects >= 0, got ", steps);
  return [steps, then = std::move(then)](int64_t step) {
    if (step >= steps) return then(step - steps);
    return then(0) * static_cast<double>(step + 1) / static_cast<double>(steps + 1);
  };
}

}  // namespace cytograd::optim
