#pragma once

#include <string>
#include <vector>

#include "cli/train_options.h"
#include "cytograd/report/grid_table.h"

/// @file
/// Which runs `cyto crossval` makes: cells of settings by folds, or by the folds, seeds and
/// left-out domains of a protocol.

namespace cytograd::cli {

struct CrossvalOptions : TrainOptions {
  bool lean = false;     ///< of finished runs only the best checkpoint stays
  std::string protocol;  ///< empty: folds alone
  int64_t seeds = 0;     ///< 0: the protocol's
};

inline const std::vector<std::string> protocol_names = {"five-fold", "leave-one-domain-out",
                                                        "fixed-unseen"};

struct Job {
  std::string cell, folder;
  TrainConfig config;
};

struct Plan {
  GridPlan grid;
  std::vector<Job> jobs;  ///< all runs of a cell, then the next cell
};

/// Reads the names of the domains for leave-one-domain-out, nothing else of the data.
/// @throws ConfigError for settings that contradict each other, FileError, DataError
Plan make_plan(const CrossvalOptions& options);

}  // namespace cytograd::cli
