#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cytograd {

/// What results.json of one run says.
struct RunResult {
  std::string cell, method;
  bool growing = false;
  int64_t embedding = 0, fold = 0, best_epoch = 0, n = 0;
  double f1_macro = 0, accuracy = 0, seconds = 0;
  std::map<std::string, double> posthoc;           ///< macro-F1 of each kind of classifier
  std::map<std::string, double> posthoc_accuracy;  ///< micro-F1 of the same
  std::map<std::string, double> per_class;         ///< F1; classes without one are absent
};

/// @throws FileError, DataError
RunResult read_run_result(const std::string& path, const std::string& cell);

/// Mean and spread over folds.
struct Spread {
  int64_t count = 0;
  double mean = 0;
  double population = 0;  ///< standard deviation with n
  double sample = 0;      ///< with n - 1; 0 for one value
};
Spread spread_of(const std::vector<double>& values);

/// One line of the table of a cross-validation.
struct CellSummary {
  std::string cell, method;
  bool growing = false;
  int64_t embedding = 0, folds_expected = 0;
  Spread f1_macro, accuracy, best_epoch;
  std::map<std::string, Spread> posthoc, posthoc_accuracy, per_class;
  std::vector<RunResult> runs;
};
/// In the order in which the cells first appear.
std::vector<CellSummary> summarise_cells(const std::vector<RunResult>& runs, int64_t folds);

/// cell, method, growing, embedding, folds, f1_macro_mean, f1_macro_sd, f1_macro_sd_sample,
/// accuracy_mean, accuracy_sd, best_epoch_mean, and the post-hoc classifiers.
std::string summary_csv(const std::vector<CellSummary>& cells);
std::string summary_json(const std::vector<CellSummary>& cells);
/// Methods down, lengths across: `0.717 ± 0.026`; folds that are missing are told as (3 of 5).
std::string summary_table(const std::vector<CellSummary>& cells);

}  // namespace cytograd
