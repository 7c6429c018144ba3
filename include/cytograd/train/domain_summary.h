#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/train/aggregate.h"
#include "cytograd/train/domain_scores.h"

/// @file
/// Runs over several domains: what one of them writes to domains.json, and the mean and spread over
/// folds, seeds and left-out domains that tables show.

namespace cytograd {

/// domains.json of one run.
struct DomainRun {
  std::string cell, method;
  int64_t fold = 0, seed = 0, best_epoch = 0;
  double seconds = 0;
  std::vector<std::string> classes, domains;
  std::vector<std::string> unseen;           ///< names of the unseen domains
  std::vector<std::vector<int64_t>> counts;  ///< training cells [class][domain]; 0: no such pair
  PartScores held;                           ///< the part of the training domains that is scored
  std::optional<PartScores> outside;         ///< the unseen domains, whole

  /// Per class: did training hold a cell of it?
  std::vector<bool> seen() const;
};
std::string domain_run_json(const DomainRun& run);
/// @throws FileError, DataError
DomainRun read_domain_run(const std::string& path, const std::string& cell);

/// One part over all runs of a method.
///
/// A replicate is one fold with one seed. Its value is the mean over the domains that were left out
/// in turn (of the worst domain and the worst group: the minimum); `Spread` is over replicates in
/// which no left-out domain is missing.
struct PartSummary {
  Spread f1_micro, f1_macro, f1_macro_seen, ece, worst_domain, worst_group;
  Spread f1_macro_missing;                ///< of classes that training lacked; count 0: none
  std::map<std::string, Spread> domains;  ///< macro-F1 by domain over all runs that scored it
  std::map<std::string, Spread> domains_micro;
  std::vector<Spread> per_class;  ///< F1; count 0: no domain had a cell of it
  DomainScore sum;                ///< all runs added up
  std::vector<DomainScore> domain_sums;
  std::optional<WorstGroup> worst;  ///< of the sums; `domain` is a place in `domain_sums`
  std::string lowest_domain;        ///< by mean macro-F1
};

struct MethodSummary {
  std::string cell, method;
  int64_t runs = 0, runs_expected = 0, replicates = 0;
  std::vector<std::string> classes;
  PartSummary held;
  std::optional<PartSummary> outside;
};

/// In the order in which the cells first appear. @param expected runs per cell
/// @param choices how often a replicate leaves domains out (1 unless each domain is left out in
/// turn)
std::vector<MethodSummary> summarise_domains(const std::vector<DomainRun>& runs, int64_t expected,
                                             int64_t choices);

/// Every figure with mean, sd (n), sd_sample (n - 1) and count; confusion matrices of the sums.
std::string domain_summary_json(const std::vector<MethodSummary>& methods,
                                const std::string& protocol);
/// Long form: part, cell, method, domain, class, metric, mean, sd, sd_sample, count; values that
/// cannot be said are empty.
std::string domain_summary_csv(const std::vector<MethodSummary>& methods);

}  // namespace cytograd
