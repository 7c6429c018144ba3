#include <algorithm>
#include <map>
#include <numeric>

#include "cytograd/data/split.h"

/// @file
/// Folds of whole groups with like class distributions: greedy, then local search.

namespace cytograd {

namespace {

constexpr double tolerance = 1e-12;

// Counts per fold and class with the cost J; one extra "class" at the end holds all samples.
class FoldCounts {
 public:
  FoldCounts(const std::vector<std::vector<int64_t>>& groups, int64_t k)
      : k_(k), classes_(groups.empty() ? 0 : groups[0].size()) {
    total_.assign(classes_ + 1, 0);
    for (const auto& g : groups)
      for (size_t c = 0; c < classes_; ++c) {
        total_[c] += g[c];
        total_[classes_] += g[c];
      }
    for (size_t c = 0; c < classes_; ++c) present_ += total_[c] > 0;
    count_.assign(static_cast<size_t>(k) * (classes_ + 1), 0);
    term_.resize(static_cast<size_t>(k), 0);
    for (int64_t f = 0; f < k; ++f) refresh(f);
  }

  void add(int64_t fold, const std::vector<int64_t>& group, int64_t sign) {
    int64_t* row = count_.data() + static_cast<size_t>(fold) * (classes_ + 1);
    for (size_t c = 0; c < classes_; ++c) {
      row[c] += sign * group[c];
      row[classes_] += sign * group[c];
    }
    refresh(fold);
  }
  double cost() const { return std::accumulate(term_.begin(), term_.end(), 0.0); }

  // Cost terms of `fold` if `plus` came and `minus` (may be null) went.
  double term_with(int64_t fold, const std::vector<int64_t>* plus,
                   const std::vector<int64_t>* minus) const {
    const int64_t* row = count_.data() + static_cast<size_t>(fold) * (classes_ + 1);
    double sum = 0;
    int64_t all = row[classes_];
    for (size_t c = 0; c < classes_; ++c) {
      const int64_t change = (plus ? (*plus)[c] : 0) - (minus ? (*minus)[c] : 0);
      all += change;
      if (total_[c] > 0) sum += square(row[c] + change, total_[c]);
    }
    return sum / static_cast<double>(std::max<int64_t>(present_, 1)) +
           square(all, total_[classes_]);
  }
  double term(int64_t fold) const { return term_[static_cast<size_t>(fold)]; }

 private:
  double square(int64_t n, int64_t total) const {
    const double d = static_cast<double>(n) / static_cast<double>(std::max<int64_t>(total, 1)) -
                     1.0 / static_cast<double>(k_);
    return d * d;
  }
  void refresh(int64_t f) { term_[static_cast<size_t>(f)] = term_with(f, nullptr, nullptr); }

  int64_t k_, present_ = 0;
  size_t classes_;
  std::vector<int64_t> total_, count_;
  std::vector<double> term_;
};

struct Change {
  double gain = tolerance;  // how much J must fall at least
  size_t a = 0, b = 0;
  int64_t to = -1;  // a moves there; -1: a and b swap
  bool found = false;
};

class Search {
 public:
  Search(const std::vector<std::vector<int64_t>>& groups, std::vector<int64_t>& fold, int64_t k,
         FoldCounts& counts)
      : groups_(groups), fold_(fold), k_(k), counts_(counts) {}

  void run() {
    for (Change best = find(); best.found; best = find()) apply(best);
  }

 private:
  Change find() const {
    // Groups of equal counts in one fold are interchangeable: only the first of them is tried.
    std::map<std::pair<int64_t, std::vector<int64_t>>, size_t> first;
    std::vector<size_t> tried;
    std::vector<int64_t> size(static_cast<size_t>(k_));
    for (size_t g = 0; g < groups_.size(); ++g) {
      ++size[static_cast<size_t>(fold_[g])];
      if (first.try_emplace({fold_[g], groups_[g]}, g).second) tried.push_back(g);
    }
    Change best;
    for (const size_t g : tried)
      for (int64_t f = 0; f < k_; ++f)
        if (f != fold_[g] && size[static_cast<size_t>(fold_[g])] > 1) consider_move(g, f, best);
    for (size_t i = 0; i < tried.size(); ++i)
      for (size_t j = i + 1; j < tried.size(); ++j)
        if (fold_[tried[i]] != fold_[tried[j]]) consider_swap(tried[i], tried[j], best);
    return best;
  }

  void consider_move(size_t g, int64_t f, Change& best) const {
    const double before = counts_.term(fold_[g]) + counts_.term(f);
    const double after = counts_.term_with(fold_[g], nullptr, &groups_[g]) +
                         counts_.term_with(f, &groups_[g], nullptr);
    if (before - after > best.gain) best = {before - after, g, 0, f, true};
  }

  void consider_swap(size_t a, size_t b, Change& best) const {
    const double before = counts_.term(fold_[a]) + counts_.term(fold_[b]);
    const double after = counts_.term_with(fold_[a], &groups_[b], &groups_[a]) +
                         counts_.term_with(fold_[b], &groups_[a], &groups_[b]);
    if (before - after > best.gain) best = {before - after, a, b, -1, true};
  }

  void apply(const Change& change) {
    const int64_t from = fold_[change.a];
    const int64_t to = change.to >= 0 ? change.to : fold_[change.b];
    counts_.add(from, groups_[change.a], -1);
    counts_.add(to, groups_[change.a], 1);
    fold_[change.a] = to;
    if (change.to >= 0) return;
    counts_.add(to, groups_[change.b], -1);
    counts_.add(from, groups_[change.b], 1);
    fold_[change.b] = from;
  }

  const std::vector<std::vector<int64_t>>& groups_;
  std::vector<int64_t>& fold_;
  int64_t k_;
  FoldCounts& counts_;
};

void greedy(const std::vector<std::vector<int64_t>>& groups, int64_t k, FoldCounts& counts,
            std::vector<int64_t>& fold) {
  std::vector<size_t> order(groups.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto size = [&](size_t g) {
    return std::accumulate(groups[g].begin(), groups[g].end(), int64_t{0});
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return size(a) > size(b); });
  for (const size_t g : order) {
    int64_t best = 0;
    double least = 0;
    for (int64_t f = 0; f < k; ++f) {
      const double change = counts.term_with(f, &groups[g], nullptr) - counts.term(f);
      if (f == 0 || change < least - tolerance) {
        best = f;
        least = change;
      }
    }
    fold[g] = best;
    counts.add(best, groups[g], 1);
  }
}

}  // namespace

double fold_cost(const std::vector<std::vector<int64_t>>& group_counts,
                 const std::vector<int64_t>& fold, int64_t k) {
  FoldCounts counts(group_counts, k);
  for (size_t g = 0; g < group_counts.size(); ++g) counts.add(fold[g], group_counts[g], 1);
  return counts.cost();
}

std::vector<int64_t> grouped_folds(const std::vector<std::vector<int64_t>>& group_counts,
                                   int64_t k) {
  check<ValueError>(k >= 1, "grouped_folds", "expected at least one fold, got ", k);
  const int64_t n = static_cast<int64_t>(group_counts.size());
  if (n < k)
    throw DataError(
        {"fold.empty", "", "", std::to_string(n) + " groups for " + std::to_string(k) + " folds",
         "at least one group per fold", "the largest possible k is " + std::to_string(n)});
  std::vector<int64_t> fold(group_counts.size());
  FoldCounts counts(group_counts, k);
  greedy(group_counts, k, counts, fold);
  Search(group_counts, fold, k, counts).run();
  return fold;
}

}  // namespace cytograd
