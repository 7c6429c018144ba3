#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/file.h"
#include "cytograd/synth/cells.h"
#include "cytograd/synth/rna.h"

using namespace cytograd;
using namespace cytograd::synth;

namespace {

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) mean_x += x[i] / n, mean_y += y[i] / n;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

TEST_CASE("synth rna: negative binomial mean and variance") {
  struct Row {
    double mean, dispersion;
  };
  for (const Row& row : {Row{0.3, 0.25}, Row{4, 0}, Row{4, 0.5}, Row{60, 0.1}, Row{60, 2}}) {
    CAPTURE(row.mean);
    CAPTURE(row.dispersion);
    Rng rng(3, "negative binomial", static_cast<uint64_t>(100 * row.mean),
            static_cast<uint64_t>(100 * row.dispersion));
    constexpr int n = 60'000;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const auto x = static_cast<double>(negative_binomial(rng, row.mean, row.dispersion));
      sum += x, squares += (x - row.mean) * (x - row.mean);
    }
    const double variance = row.mean + row.dispersion * row.mean * row.mean;
    // Six standard errors of the mean; the tail makes the variance less certain.
    CHECK(std::abs(sum / n - row.mean) < 6 * std::sqrt(variance / n));
    CHECK(std::abs(squares / n / variance - 1) < 0.1);
  }
  Rng rng(1);
  CHECK(negative_binomial(rng, 0, 1) == 0);
  CHECK_THROWS_AS(negative_binomial(rng, -1, 1), ValueError);
}

TEST_CASE("synth rna: drivers follow pseudotime in their direction") {
  const RnaSet set = make_rna({.cells = 1500, .seed = 11});
  int drivers = 0, others = 0, strong_others = 0;
  for (size_t g = 0; g < set.genes.size(); ++g) {
    const RnaGene& gene = set.genes[g];
    const std::vector<float> counts = set.column(static_cast<int64_t>(g));
    // Along the way to a branch: the branch itself and the stem cells before it.
    const Branch branch = gene.driver ? gene.branch : Branch::neutrophil;
    std::vector<double> time, expression;
    for (size_t i = 0; i < set.cells.size(); ++i) {
      const RnaCell& cell = set.cells[i];
      // Of the myeloid progenitors' genes most is seen in what becomes of them.
      const bool descends = branch == Branch::myeloid && cell.branch == Branch::neutrophil;
      if (cell.branch != branch && cell.branch != Branch::stem && !descends) continue;
      time.push_back(cell.pseudotime);
      expression.push_back(std::log1p(static_cast<double>(counts[i]) / cell.size_factor));
    }
    const double r = correlation(time, expression);
    CAPTURE(gene.name);
    if (gene.driver) {
      ++drivers;
      CHECK(r * gene.direction > 0.25);
    } else {
      ++others;
      strong_others += std::abs(r) > 0.25;
    }
  }
  CHECK(drivers == 128);
  CHECK(others == 372);
  CHECK(strong_others == 0);
}

TEST_CASE("synth rna: cells, rows and depth") {
  const RnaSet set = make_rna({.cells = 800, .depth = 3000, .seed = 2});
  REQUIRE(set.row_begin.size() == 801);
  CHECK(set.row_begin.back() == static_cast<int64_t>(set.counts.size()));
  CHECK(set.gene_index.size() == set.counts.size());
  std::set<std::string> types, names;
  double total = 0;
  bool sorted = true, whole = true;
  for (size_t i = 0; i < 800; ++i)
    for (int64_t k = set.row_begin[i]; k < set.row_begin[i + 1]; ++k) {
      const auto at = static_cast<size_t>(k);
      sorted = sorted && (k == set.row_begin[i] || set.gene_index[at] > set.gene_index[at - 1]);
      whole = whole && set.counts[at] > 0 && set.counts[at] == std::floor(set.counts[at]);
      total += set.counts[at];
    }
  CHECK(sorted);
  CHECK(whole);
  CHECK(total / 800 > 2000);
  CHECK(total / 800 < 6000);
  for (const RnaCell& cell : set.cells) {
    CHECK((cell.pseudotime >= 0 && cell.pseudotime < 1));
    types.insert(cell.cell_type);
  }
  for (const RnaGene& gene : set.genes) names.insert(gene.name);
  CHECK(names.size() == set.genes.size());
  // All classes of the pictures but the blast, and five kinds of progenitor.
  CHECK(types.size() == 19);
  for (int c = 1; c < cell_class_count; ++c)
    CHECK(types.count(std::string(name(static_cast<CellClass>(c)))) == 1);
}

TEST_CASE("synth rna: the same counts for any number of threads, wrong options are refused") {
  const int before = num_threads();
  set_num_threads(1);
  const RnaSet one = make_rna({.cells = 100, .seed = 5});
  set_num_threads(3);
  const RnaSet three = make_rna({.cells = 100, .seed = 5});
  set_num_threads(before);
  CHECK(one.counts == three.counts);
  CHECK(one.gene_index == three.gene_index);
  CHECK(make_rna({.cells = 100, .seed = 6}).counts != one.counts);
  CHECK_THROWS_AS(make_rna({.cells = 0}), ConfigError);
  CHECK_THROWS_AS(make_rna({.genes = 100}), ConfigError);
  CHECK_THROWS_AS(make_rna({.effect = NAN}), ConfigError);
}

TEST_CASE("synth rna: a file in the AnnData layout, the same bytes each time") {
  const std::string path = std::string(CYTOGRAD_BINARY_DIR) + "/synth_rna_test.h5ad";
  const RnaSet set = make_rna({.cells = 60, .seed = 5});
  write_rna(set, path);
  const std::string first = read_file(path);
  CHECK(first.compare(0, 8, "\x89HDF\r\n\x1a\n") == 0);
  for (const char* word : {"csr_matrix", "categorical", "pseudotime", "driver_branch", "HSC"}) {
    CAPTURE(word);
    CHECK(first.find(word) != std::string::npos);
  }
  write_rna(set, path);
  CHECK(read_file(path) == first);
  std::filesystem::remove(path);
  CHECK_THROWS_AS(write_rna(set, path + "/missing/x.h5ad"), FileError);
}
