#pragma once

#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/train/config.h"

/// @file
/// What trainings of classifiers and of detectors ask of their settings.

namespace cytograd {

/// Settings that do not go together.
[[noreturn]] inline void conflict(const std::string& found, const std::string& expected,
                                  const std::string& hint = "") {
  throw ConfigError(Fault{"cfg", "", "", found, expected, hint});
}

/// Folds, optimiser and schedule. @throws ConfigError
void check_common(const TrainConfig& config);

/// `make(config, path)` for each data set. @throws ConfigError if there is none
template <class Make>
auto for_each_data_set(const TrainConfig& config, Make make) {
  if (config.data.empty()) throw ConfigError("no data set given; pass --data FOLDER [cli]");
  std::vector<decltype(make(config, config.data[0]))> out;
  for (const std::string& path : config.data) out.push_back(make(config, path));
  return out;
}

}  // namespace cytograd
