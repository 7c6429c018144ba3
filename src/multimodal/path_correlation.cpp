#include "multimodal/path_correlation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "kernels/gemm.h"

namespace cytograd::multimodal {
namespace {

constexpr int64_t gene_block = 64, permutation_block = 128;
// This many Fisher z share one logarithm: a factor 1 - r is at least 1e-6, the product of 1 + r
// at most 2^24 and of 1 - r at least 1e-144.
constexpr int64_t logarithm_every = 24;
constexpr double shrink = 1 - 1e-6;

// Less its mean, divided by its norm, NaN made 0. False (and all 0) where the values are the same
// up to the rounding of the float32 that they were decoded in.
bool standardise(std::span<double> x) {
  double sum = 0, largest = 0;
  int64_t count = 0;
  for (const double v : x) {
    if (std::isnan(v)) continue;
    sum += v;
    largest = std::max(largest, std::abs(v));
    ++count;
  }
  const double mean = count > 0 ? sum / static_cast<double>(count) : 0;
  double squares = 0;
  for (double& v : x) {
    v = std::isnan(v) ? 0 : v - mean;
    squares += v * v;
  }
  const double norm = std::sqrt(squares);
  const bool varies = norm > 1e-6 * largest * std::sqrt(static_cast<double>(count));
  for (double& v : x) v = varies ? v / norm : 0;
  return varies;
}

// A score at one t.
struct ScoreAt {
  std::vector<double> z;        // [S] standardised over the paths that have it, 0 for others
  std::vector<double> present;  // [S] 1 or 0
  double count = 0;             // of the paths that have it
  bool usable = false, complete = false;
};

struct Data {
  int64_t paths = 0, genes = 0, scores = 0, points = 0, columns = 0;
  std::vector<double> z;        // [T, G, S] standardised
  std::vector<uint8_t> varies;  // [T, G]
  std::vector<ScoreAt> at;      // [M, T]
  std::vector<int32_t> order;   // [columns, S]: whose scores a path gets; column 0: its own
};

ScoreAt score_at(const std::vector<PathCurves>& paths, int64_t score, int64_t t) {
  ScoreAt out;
  for (const PathCurves& path : paths) {
    out.z.push_back(path.scores.row(score)[static_cast<size_t>(t)]);
    out.present.push_back(std::isnan(out.z.back()) ? 0 : 1);
    out.count += out.present.back();
  }
  out.complete = out.count == static_cast<double>(paths.size());
  out.usable = standardise(out.z) && out.count >= static_cast<double>(least_paths);
  for (double& v : out.z) v *= shrink;
  return out;
}

Data prepare(const std::vector<PathCurves>& paths, const DriverOptions& options) {
  Data d;
  d.paths = static_cast<int64_t>(paths.size());
  d.genes = paths[0].genes.rows;
  d.scores = paths[0].scores.rows;
  d.points = paths[0].genes.length;
  d.columns = 1 + options.permutations;
  d.z.resize(static_cast<size_t>(d.points * d.genes * d.paths));
  d.varies.resize(static_cast<size_t>(d.points * d.genes));
  parallel_for(d.genes, 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < d.points; ++t)
      for (int64_t g = begin; g < end; ++g) {
        double* z = d.z.data() + (t * d.genes + g) * d.paths;
        for (int64_t s = 0; s < d.paths; ++s)
          z[s] = paths[static_cast<size_t>(s)].genes.row(g)[static_cast<size_t>(t)];
        d.varies[static_cast<size_t>(t * d.genes + g)] =
            standardise({z, static_cast<size_t>(d.paths)}) ? 1 : 0;
      }
  });
  for (int64_t m = 0; m < d.scores; ++m)
    for (int64_t t = 0; t < d.points; ++t) d.at.push_back(score_at(paths, m, t));
  std::vector<int32_t> order(paths.size());
  for (int64_t c = 0; c < d.columns; ++c) {
    std::iota(order.begin(), order.end(), 0);
    if (c > 0) Rng(options.seed, "driver permutations", static_cast<uint64_t>(c)).shuffle(order);
    d.order.insert(d.order.end(), order.begin(), order.end());
  }
  return d;
}

// Sums of Fisher z over t, for a block of genes, one score and a block of pairings.
class Block {
 public:
  Block(const Data& data, int64_t first_gene, int64_t last_gene)
      : d_(data), first_(first_gene), rows_(last_gene - first_gene) {
    for (auto* v : {&r_, &sum_, &square_, &above_, &below_, &fisher_})
      v->resize(static_cast<size_t>(rows_ * permutation_block));
    for (auto* v : {&paired_, &present_})
      v->resize(static_cast<size_t>(d_.paths * permutation_block));
    squares_.resize(static_cast<size_t>(rows_ * d_.paths));
  }

  // Row-major [genes of the block, permutation_block], of the columns from `column` on.
  const std::vector<double>& fisher(int64_t score, int64_t column) {
    width_ = std::min(permutation_block, d_.columns - column);
    std::fill(fisher_.begin(), fisher_.end(), 0.0);
    start_products();
    int64_t pending = 0;
    for (int64_t t = 0; t < d_.points; ++t) {
      const ScoreAt& at = d_.at[static_cast<size_t>(score * d_.points + t)];
      if (!at.usable) continue;
      correlate(at, t, column);
      for (size_t i = 0; i < r_.size(); ++i) {
        above_[i] *= 1 + r_[i];
        below_[i] *= 1 - r_[i];
      }
      if (++pending < logarithm_every) continue;
      add_logarithms();
      pending = 0;
    }
    if (pending > 0) add_logarithms();
    return fisher_;
  }

 private:
  void start_products() {
    std::fill(above_.begin(), above_.end(), 1.0);
    std::fill(below_.begin(), below_.end(), 1.0);
  }

  void add_logarithms() {
    for (size_t i = 0; i < fisher_.size(); ++i) fisher_[i] += std::log(above_[i] / below_[i]) / 2;
    start_products();
  }

  // to[s, c] = from[order[column + c][s]]
  void pair(const std::vector<double>& from, int64_t column, std::vector<double>& to) const {
    for (int64_t c = 0; c < width_; ++c)
      for (int64_t s = 0; s < d_.paths; ++s)
        to[static_cast<size_t>(s * permutation_block + c)] =
            from[static_cast<size_t>(d_.order[static_cast<size_t>((column + c) * d_.paths + s)])];
  }

  void multiply(const double* genes, const std::vector<double>& scores, std::vector<double>& out) {
    kernels::gemm<double>(false, false, rows_, permutation_block, d_.paths, genes, d_.paths,
                          scores.data(), permutation_block, out.data(), permutation_block);
  }

  // r_ at t.
  void correlate(const ScoreAt& at, int64_t t, int64_t column) {
    const double* genes = d_.z.data() + (t * d_.genes + first_) * d_.paths;
    pair(at.z, column, paired_);
    multiply(genes, paired_, r_);
    if (at.complete) return;
    // The gene's mean and norm over the paths that have the score, which differ by pairing.
    pair(at.present, column, present_);
    for (size_t i = 0; i < squares_.size(); ++i) squares_[i] = genes[i] * genes[i];
    multiply(genes, present_, sum_);
    multiply(squares_.data(), present_, square_);
    for (size_t i = 0; i < r_.size(); ++i) {
      const double norm = square_[i] - sum_[i] * sum_[i] / at.count;
      // Of the whole norm, 1: less is rounding, and the gene is constant there.
      r_[i] = norm > 1e-10 ? std::clamp(r_[i] / std::sqrt(norm), -shrink, shrink) : 0;
    }
  }

  const Data& d_;
  int64_t first_, rows_, width_ = 0;
  std::vector<double> r_, sum_, square_, above_, below_, fisher_;  // [rows, permutation_block]
  std::vector<double> paired_, present_;                           // [S, permutation_block]
  std::vector<double> squares_;                                    // [rows, S]
};

void test_genes(const Data& d, int64_t first, int64_t last, std::vector<PathCorrelation>& out) {
  Block block(d, first, last);
  const auto rows = static_cast<size_t>(last - first);
  for (int64_t m = 0; m < d.scores; ++m) {
    std::vector<double> observed(rows), terms(rows, 0.0), as_far(rows, 0.0);
    for (int64_t t = 0; t < d.points; ++t)
      if (d.at[static_cast<size_t>(m * d.points + t)].usable)
        for (size_t g = 0; g < rows; ++g)
          terms[g] += d.varies[static_cast<size_t>(t * d.genes + first) + g];
    for (int64_t column = 0; column < d.columns; column += permutation_block) {
      const std::vector<double>& z = block.fisher(m, column);
      const int64_t width = std::min(permutation_block, d.columns - column);
      for (size_t g = 0; g < rows; ++g) {
        const double* row = z.data() + g * static_cast<size_t>(permutation_block);
        if (column == 0) observed[g] = row[0];
        // Equal up to rounding counts as as far.
        const double least = std::abs(observed[g]) - 1e-8 * terms[g];
        for (int64_t c = column == 0 ? 1 : 0; c < width; ++c)
          as_far[g] += std::abs(row[c]) >= least ? 1 : 0;
      }
    }
    for (size_t g = 0; g < rows; ++g) {
      if (terms[g] == 0) continue;
      PathCorrelation& to = out[(static_cast<size_t>(first) + g) * static_cast<size_t>(d.scores) +
                                static_cast<size_t>(m)];
      to.across = std::tanh(observed[g] / terms[g]);
      to.p = (1 + as_far[g]) / static_cast<double>(d.columns);
    }
  }
}

}  // namespace

std::vector<PathCorrelation> correlate_paths(const std::vector<PathCurves>& paths,
                                             const DriverOptions& options) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Data d = prepare(paths, options);
  std::vector<PathCorrelation> out(static_cast<size_t>(d.genes * d.scores), {none, none});
  if (d.paths < least_paths) return out;
  parallel_for(d.genes, gene_block,
               [&](int64_t begin, int64_t end) { test_genes(d, begin, end, out); });
  return out;
}

}  // namespace cytograd::multimodal
