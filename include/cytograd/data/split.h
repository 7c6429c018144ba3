#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"

namespace cytograd {

/// Sample indices by role, each ascending.
struct Split {
  std::vector<int64_t> train, val, test;
  std::vector<int64_t> unseen;  ///< domains that nothing was trained or chosen on, whole
  /// "train", "val", "test", "unseen" or "" per sample, for class_table and leaks.
  std::vector<std::string> roles(int64_t samples) const;
};

struct SplitOptions {
  int64_t folds = 1;   ///< 1: one split; k >= 2: k-fold cross-validation, fold k is the test part
  double test = 0.2;   ///< share of the test part when folds is 1; 0: none
  double val = 0.125;  ///< share of what is not test; 0: none
  /// Keep groups together in the validation part too. Test parts always do.
  bool val_grouped = true;
  uint64_t seed = 0;
  /// What chooses the epoch: "inner" a part of the training samples (`val`), "val-fold" the held
  /// back fold itself, which is then the validation part and not the test part, "last" none.
  std::string select = "inner";
  std::vector<std::string> unseen;  ///< domains that become Split::unseen whole
  std::vector<std::string> train;   ///< domains to train on; empty: all that are not unseen
};

/// Which domains are trained on and which are unseen, as indices in the order of the data set.
struct DomainRoles {
  std::vector<int64_t> train, unseen;
};
/// @throws ConfigError for a name that is no domain, a domain in both, no domain left to train on
DomainRoles domain_roles(const Dataset& dataset, const std::vector<std::string>& train,
                         const std::vector<std::string>& unseen);
/// Moves every sample of the unseen domains to Split::unseen and takes out those of domains that
/// have no role.
void apply_domain_roles(const Dataset& dataset, const DomainRoles& roles, Split& split);

/// One Split per fold.
///
/// A `split` given by the data set is used as it is (folds must be 1; a missing val part is drawn
/// from train). Otherwise, per domain: samples without group are dealt stratified by class, samples
/// with group by grouped_folds. Deterministic by seed. Samples of unseen domains have no part in
/// this: the folds of the others are the same whatever those hold.
/// @throws DataError fold.empty with the counts and the largest possible k; ConfigError as
/// `domain_roles`
std::vector<Split> make_splits(const Dataset& dataset, const SplitOptions& options);

/// Fold of each sample: shuffled inside its stratum, image r goes to fold (r + offset) mod k, where
/// offset counts the images placed before, so that fold sizes stay balanced.
std::vector<int64_t> stratified_folds(const std::vector<int64_t>& strata, int64_t k, uint64_t seed);

/// Fold of each group from its class counts [G][C]: greedy by falling size, then best-improvement
/// moves and swaps of J = mean_c sum_f (n_fc/n_c - 1/k)^2 + sum_f (n_f/n - 1/k)^2. No randomness.
/// @throws DataError fold.empty if there are fewer groups than folds
std::vector<int64_t> grouped_folds(const std::vector<std::vector<int64_t>>& group_counts,
                                   int64_t k);
/// The cost J of an assignment.
double fold_cost(const std::vector<std::vector<int64_t>>& group_counts,
                 const std::vector<int64_t>& fold, int64_t k);

/// Seats per class: round(share * n) in all, floor(share * n_c) each, the rest to the largest
/// fractions (ties to the lower class).
std::vector<int64_t> stratified_quota(const std::vector<int64_t>& class_counts, double share);

/// `sample,fold,role,group,class`, one row per sample and fold.
void write_splits(const std::string& path, const Dataset& dataset,
                  const std::vector<Split>& splits);
/// Reads such a file for this data set; samples it does not name are in no part.
/// @throws DataError csv.form for unknown samples, repeated rows, unknown roles, a domain that is
/// trained on and unseen in one fold, or a class that has changed since
std::vector<Split> read_splits(const std::string& path, const Dataset& dataset);

/// csv.leak faults: one group in train (or val) and test, or, with `hashes` (per sample, may be
/// empty), equal content in two roles. @param allow_val a group, and the cells of one image, may be
/// in train and val
std::vector<Fault> find_leaks(const Dataset& dataset, const Split& split,
                              const std::vector<std::string>& hashes, bool allow_val = true);

}  // namespace cytograd
