#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/train/metrics.h"

/// @file
/// Scores of one part of a split over several domains: pooled, per domain, per class, and of the
/// group that comes off worst. docs/domains.md. What cannot be said is absent: a class that a
/// domain lacks has no recall there, not a recall of 0.

namespace cytograd {

/// What is scored: one entry per cell.
struct ScoredCells {
  std::vector<int64_t> domains;  ///< index of the domain
  std::vector<int64_t> labels, predicted;
  std::vector<double> confidence;

  void add(int64_t domain, int64_t label, int64_t guess, double p);
  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

/// Scores over some of the classes: those that training held, or those that it lacked.
struct ClassSubset {
  int64_t classes = 0;             ///< of them that occur in truth or prediction
  int64_t n = 0;                   ///< cells whose true class is among them
  std::optional<double> f1_macro;  ///< mean F1 of those that occur
  std::optional<double> accuracy;  ///< share of their cells that are right
};

/// The (domain, class) pair with the lowest recall.
struct WorstGroup {
  int64_t domain = -1, label = -1;
  double recall = 0;
  int64_t support = 0;
};

/// One domain, or all of them pooled.
struct DomainScore {
  std::string domain;  ///< empty: pooled
  Confusion confusion{0};
  Scores scores;
  Reliability reliability;    ///< 15 bins
  ClassSubset seen, missing;  ///< classes with, and without, a cell to train on

  std::optional<double> ece() const;
};

struct PartScores {
  std::string role;  ///< "val", "test", "train" or "unseen"
  DomainScore pooled;
  std::vector<DomainScore> domains;  ///< those that have a cell, in the order of the data set
  int64_t worst_domain = -1;         ///< place in `domains` with the lowest macro-F1; -1: none
  std::optional<WorstGroup> worst;   ///< its `domain` is a place in `domains`
};

/// @param seen per class: did training hold a cell of it? @param names of the domains
/// @throws ShapeError unless all entries of `cells` have one length; ValueError for an index out of
/// range
PartScores score_part(const std::string& role, const ScoredCells& cells,
                      const std::vector<std::string>& names, const std::vector<bool>& seen);

/// One domain from its counts, as they stand in a file. @param name empty: pooled
DomainScore domain_score(const std::string& name, const Confusion& confusion,
                         const Reliability& reliability, const std::vector<bool>& seen);
/// Counts of several runs added up: confusion matrices and bins of confidence.
/// @throws ShapeError where the numbers of classes or bins differ
DomainScore sum_of(const DomainScore& a, const DomainScore& b, const std::vector<bool>& seen);

/// Lowest recall of the pairs that have a cell; among equals the first.
std::optional<WorstGroup> worst_group(const std::vector<DomainScore>& domains);

/// Sets `worst_domain` and `worst` from the domains.
void find_worst(PartScores& part);

/// Everything as JSON, absent values null; confusion matrices as counts and as shares of their row
/// (a row without a cell is null).
std::string part_json(const PartScores& part, const std::vector<std::string>& classes);
/// part, domain (empty: pooled), class (empty: all), images, predicted, precision, recall, f1,
/// f1_micro, f1_macro, f1_macro_seen, ece; with the header, absent values empty. In the rows of a
/// class that the domain lacks all scores are empty.
std::string parts_csv(const std::vector<PartScores>& parts,
                      const std::vector<std::string>& classes);
/// `truth` and one column per class. @param share counts, or shares of their row (empty without
/// cells)
std::string confusion_csv(const Confusion& confusion, const std::vector<std::string>& classes,
                          bool share);

}  // namespace cytograd
