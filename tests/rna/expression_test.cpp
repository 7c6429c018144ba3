#include "cytograd/rna/expression.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "cytograd/core/random.h"
#include "rna/counts.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::rna;
using test::check_op_error;
using test::sparse;

namespace {

constexpr double half_digit = 6e-7;

void near_all(const std::vector<double>& got, const std::vector<double>& expected,
              double tolerance = half_digit) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CAPTURE(got[i]);
    if (std::isnan(expected[i])) {
      CHECK(std::isnan(got[i]));
    } else {
      CHECK_FALSE(!(std::abs(got[i] - expected[i]) <= tolerance));
    }
  }
}

CsrMatrix five() {
  return sparse({{4, 0, 1, 10, 0, 2, 3, 0},
                 {0, 2, 1, 8, 0, 3, 0, 0},
                 {1, 0, 0, 30, 5, 2, 0, 0},
                 {6, 1, 2, 12, 0, 1, 9, 0},
                 {0, 0, 1, 9, 0, 2, 1, 0}});
}

std::vector<double> sums(const CsrMatrix& x) {
  std::vector<double> out(static_cast<size_t>(x.rows), 0.0);
  for (size_t i = 0; i < out.size(); ++i)
    for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
      out[i] += static_cast<double>(x.values[e]);
  return out;
}

// Random counts, 60 % of them 0, with genes of different means.
CsrMatrix counts(int64_t cells, int64_t genes, uint64_t seed) {
  Rng rng(seed, "counts");
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < cells; ++i) {
    std::vector<float> row;
    for (int64_t g = 0; g < genes; ++g)
      row.push_back(rng.chance(.6) ? 0.0f
                                   : static_cast<float>(rng.poisson(1 + static_cast<double>(g))));
    rows.push_back(row);
  }
  return sparse(rows);
}

}  // namespace

TEST_CASE("expression: totals, their median, empty cells, genes left out") {
  CsrMatrix x = five();
  near_all(sums(x), {20, 14, 38, 31, 13}, 0);
  const Normalised median = normalise_total(x, {.target = std::nullopt});
  CHECK(median.target == 20);
  CHECK(median.empty_cells == 0);
  near_all(sums(x), {20, 20, 20, 20, 20}, 1e-5);
  CsrMatrix again = x;
  normalise_total(again, {.target = 20});
  for (size_t e = 0; e < x.values.size(); ++e)
    CHECK(std::abs(again.values[e] - x.values[e]) <= 1e-6f * x.values[e]);
  CsrMatrix with_empty = sparse({{0, 0}, {1, 3}});
  const Normalised n = normalise_total(with_empty, {});
  CHECK(n.target == 1e4);
  CHECK(n.empty_cells == 1);
  near_all(sums(with_empty), {0, 1e4}, 1e-2);
  // Gene 0 is 90 % of the first cell: sums without it are 10, 20.
  CsrMatrix dominated = sparse({{90, 10}, {10, 20}});
  const Normalised left = normalise_total(dominated, {.target = 100, .exclude_above = .8});
  CHECK(left.left_out == std::vector<int64_t>{0});
  near_all({dominated.values.begin(), dominated.values.end()}, {900, 100, 50, 100}, 1e-4);
}

TEST_CASE("highly variable genes: seurat by hand") {
  CsrMatrix x = five();
  normalise_total(x, {.target = std::nullopt});
  log1p(x);
  const VariableGenes found = highly_variable_genes(x, {.n_top = 3, .bins = 3});
  // Values are stored in float32.
  near_all(found.mean, {.985614, .530899, .718557, 2.546411, .422857, 1.166921, 1.121346, 1e-12},
           2e-6);
  const double none = std::numeric_limits<double>::quiet_NaN();
  near_all(found.dispersion,
           {.937730, .782309, -1.001684, -.163700, .967584, .004972, 1.051208, none}, 5e-6);
  near_all(found.normalised, {.475693, .490062, -1.150503, 1, .660441, -1.149047, .673355, none},
           1e-5);
  CHECK(found.genes == std::vector<int64_t>{3, 4, 6});
  CHECK(found.notes.empty());
}

TEST_CASE("highly variable genes: cell_ranger by hand") {
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 6; ++i) {
    std::vector<float> row;
    for (int j = 0; j < 40; ++j)
      row.push_back(static_cast<float>(((7 * i + 3 * j + i * j % 5) % 11) * (1 + j % 4)));
    rows.push_back(row);
  }
  CsrMatrix x = sparse(rows);
  normalise_total(x, {.target = 100});
  log1p(x);
  const VariableGenes found =
      highly_variable_genes(x, {.flavour = HvgFlavour::cell_ranger, .n_top = 1});
  near_all({found.dispersion[4], found.dispersion[12], found.dispersion[20], found.dispersion[36]},
           {.225654, .239668, .274607, .389941}, 2e-6);
  near_all({found.normalised[4], found.normalised[12], found.normalised[20], found.normalised[36]},
           {-.867580, -.481400, .481400, 3.659585}, 5e-5);
  CHECK(found.genes == std::vector<int64_t>{36});
  // The edges: percentiles 10, 15, ... 100 of the means, straight between two of them.
  std::vector<double> sorted = found.mean;
  std::sort(sorted.begin(), sorted.end());
  std::vector<double> edges;
  for (int percent = 10; percent <= 100; percent += 5) {
    const double at = percent / 100.0 * 39;
    const auto below = static_cast<size_t>(at), above = std::min(below + 1, size_t{39});
    edges.push_back(sorted[below] +
                    (at - static_cast<double>(below)) * (sorted[above] - sorted[below]));
  }
  near_all({edges[0], edges[1], edges[2], edges.back()}, {.587215, .641207, .715728, 1.787533},
           1e-6);
  const auto genes_in = [&](double low, double high) {  // closed on the right
    std::vector<size_t> out;
    for (size_t g = 0; g < 40; ++g)
      if (found.mean[g] > low && found.mean[g] <= high) out.push_back(g);
    return out;
  };
  CHECK(genes_in(0, edges[0]) == std::vector<size_t>{4, 12, 20, 36});
  // Median and deviation of that bin are the line from dispersions to normalised ones.
  const double deviation =
      (found.dispersion[36] - found.dispersion[4]) / (found.normalised[36] - found.normalised[4]);
  near_all({found.dispersion[4] - found.normalised[4] * deviation, deviation}, {.257138, .036289},
           1e-6);
  int pairs = 0;
  for (size_t bin = 1; bin < edges.size(); ++bin) {
    const std::vector<size_t> genes = genes_in(edges[bin - 1], edges[bin]);
    if (genes.size() != 2) continue;
    ++pairs;
    const double a = found.normalised[genes[0]], b = found.normalised[genes[1]];
    near_all({std::min(a, b), std::max(a, b)}, {-.674490, .674490});
  }
  CHECK(pairs == 18);
}

TEST_CASE("highly variable genes: a factor on all counts does not count under a fixed target") {
  const CsrMatrix raw = counts(97, 30, 2);
  const auto found = [&](float factor, std::optional<double> target, HvgFlavour flavour) {
    CsrMatrix x = raw;
    for (float& v : x.values) v *= factor;
    normalise_total(x, {.target = target});
    log1p(x);
    return highly_variable_genes(x, {.flavour = flavour, .n_top = 10});
  };
  for (const auto flavour : {HvgFlavour::seurat, HvgFlavour::cell_ranger}) {
    const VariableGenes once = found(1, 1e4, flavour), thrice = found(3, 1e4, flavour);
    // A power of two moves no digit of a float; another factor does, in the last place.
    near_all(found(4, 1e4, flavour).normalised, once.normalised, 0);  // NaN where there is none
    CHECK(thrice.genes == once.genes);
    // Bins of two genes whose dispersions are nearly alike divide by what little parts them.
    near_all(thrice.normalised, once.normalised, 1e-3);
    // The median of the sums follows the factor, the logarithm does not.
    const VariableGenes median = found(1, std::nullopt, flavour),
                        larger = found(4, std::nullopt, flavour);
    double most = 0;
    for (size_t g = 0; g < 30; ++g)
      most = std::max(most, std::abs(median.normalised[g] - larger.normalised[g]));
    CHECK(most > .01);
  }
}

TEST_CASE("highly variable genes: order of cells and threads do not count; ties; cut-offs") {
  CsrMatrix x = counts(97, 30, 1);
  normalise_total(x);
  log1p(x);
  const VariableGenes found = highly_variable_genes(x, {.n_top = 10});
  CHECK(found.genes.size() >= 10);  // genes alone in their interval tie
  CsrMatrix backwards;
  backwards.rows = x.rows;
  backwards.columns = x.columns;
  backwards.indptr.push_back(0);
  for (size_t i = 97; i-- > 0;) {
    backwards.values.insert(backwards.values.end(), x.values.begin() + x.indptr[i],
                            x.values.begin() + x.indptr[i + 1]);
    backwards.indices.insert(backwards.indices.end(), x.indices.begin() + x.indptr[i],
                             x.indices.begin() + x.indptr[i + 1]);
    backwards.indptr.push_back(static_cast<int64_t>(backwards.values.size()));
  }
  CHECK(highly_variable_genes(backwards, {.n_top = 10}).genes == found.genes);
  CHECK(test::same_for_any_threads(
      [&] { return highly_variable_genes(x, {.n_top = 10}).normalised; }));
  for (const auto flavour : {HvgFlavour::seurat, HvgFlavour::cell_ranger}) {
    const VariableGenes cut = highly_variable_genes(x, {.flavour = flavour, .n_top = std::nullopt});
    for (const int64_t g : cut.genes) {
      CHECK(cut.normalised[static_cast<size_t>(g)] > .5);
      CHECK(cut.mean[static_cast<size_t>(g)] < 3);
    }
  }
  const VariableGenes most = highly_variable_genes(x, {.n_top = 1000});
  CHECK(most.notes.size() == 1);
  // Alone in their intervals, all genes have 1.
  const CsrMatrix alone = sparse({{.1f, 1, 2}, {.2f, 1.1f, 2.5f}});
  CHECK(highly_variable_genes(alone, {.n_top = 1}).genes.size() == 3);
  CHECK(highly_variable_genes(alone, {.n_top = 1}).notes.size() == 1);
  CHECK(highly_variable_genes(alone, {.n_top = 1, .exact = true}).genes == std::vector<int64_t>{0});
  CHECK(hvg_flavour("cell_ranger") == HvgFlavour::cell_ranger);
}

TEST_CASE("highly variable genes: constant genes never, nor genes without counts") {
  const CsrMatrix x = sparse({{1, 0, 2, 0}, {1, 0, 3, 0}, {1, 0, 1, 0}});
  const VariableGenes found = highly_variable_genes(x, {.n_top = 4});
  CHECK(found.genes == std::vector<int64_t>{2});
  const VariableGenes none = highly_variable_genes(sparse({{1, 1}, {1, 1}}), {.n_top = 1});
  CHECK(none.genes.empty());
}

TEST_CASE("expression: moments beside sums over the filled matrix") {
  const CsrMatrix x = counts(41, 7, 3);
  const GeneMoments m = gene_moments(x);
  for (size_t g = 0; g < 7; ++g) {
    std::vector<double> column(41, 0.0);
    for (size_t i = 0; i < 41; ++i)
      for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
        if (static_cast<size_t>(x.indices[e]) == g) column[i] = static_cast<double>(x.values[e]);
    double mean = 0, squares = 0;
    for (const double v : column) mean += v / 41;
    for (const double v : column) squares += (v - mean) * (v - mean) / 40;
    near_all({m.mean[g], m.variance[g]}, {mean, squares}, 1e-10);
  }
}

TEST_CASE("expression: scale to [0, 1] and back") {
  const CsrMatrix x = sparse({{0, 2, 1}, {4, 2, 0}, {8, 2, 1}});
  const ExpressionScale s = fit_scale(x, 3);
  near_all(s.deviation, {4, 1, std::sqrt(1.0 / 3)}, 1e-12);
  CHECK(s.low == 0);
  CHECK(s.high == 2);  // 8 / 4, 2 / 1, 1 / .577
  const auto unit = unit_rows(x, {2, 0}, s);
  near_all({unit.begin(), unit.end()}, {1, 1, std::sqrt(3.0) / 2, 0, 1, std::sqrt(3.0) / 2},
           half_digit);
  CHECK(std::abs(s.logarithm(s.unit(4, 0), 0) - 4) < 1e-12);
  CHECK(s.unit(1000, 0) == 1);
  const ExpressionScale still = fit_scale(sparse({{1, 1}, {1, 1}}));
  CHECK(still.unit(1, 0) == 0);
  check_op_error<ValueError>([&] { unit_rows(x, {3}, s); }, "unit_rows: rows expect 0 to 2, got 3");
}

TEST_CASE("expression: the whole way, with its record") {
  const CsrMatrix raw = counts(60, 25, 4);
  const Preprocessed p = preprocess(raw, {.variable = HvgOptions{.n_top = 8}});
  CHECK(p.genes.size() >= 8);
  CHECK(p.x.columns == static_cast<int64_t>(p.genes.size()));
  CHECK(p.scale.deviation.size() == p.genes.size());
  REQUIRE(p.steps.size() == 4);
  CHECK(p.steps[0] == "normalise_total target=10000 empty_cells=0 genes_left_out=0");
  CHECK(p.steps[2] ==
        "highly_variable_genes flavour=seurat n_top=8 genes=" + std::to_string(p.genes.size()));
  const Preprocessed all = preprocess(raw, {.variable = std::nullopt});
  CHECK(all.genes.size() == 25);
  CHECK(all.steps.size() == 3);
  const CsrMatrix turned = columns_of(sparse({{1, 2, 3}, {0, 5, 0}}), {2, 1});
  CHECK(turned.values == std::vector<float>{3, 2, 5});
  CHECK(turned.indices == std::vector<int32_t>{0, 1, 1});
  CHECK(turned.indptr == std::vector<int64_t>{0, 2, 3});
}

TEST_CASE("expression: bad values and matrices") {
  CsrMatrix negative = sparse({{1, 0}, {2, 3}});
  negative.values[1] = -1;
  check_op_error<DataError>([&] { normalise_total(negative); },
                            "cell 1, gene 0: value -1; expected a finite value of at least 0 "
                            "[rna.values]");
  negative.values[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(log1p(negative), DataError);
  negative.values[1] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(gene_moments(negative), DataError);
  CsrMatrix broken = sparse({{1, 0}, {2, 3}});
  broken.indices[0] = 2;
  check_op_error<ValueError>([&] { log1p(broken); }, "log1p: cell 0 expects genes 0 to 1, got 2");
  broken = sparse({{1, 0}, {2, 3}});
  std::swap(broken.indices[1], broken.indices[2]);
  check_op_error<ValueError>([&] { log1p(broken); },
                             "log1p: cell 1 expects genes that rise, got 0");
  broken = sparse({{1, 0}, {2, 3}});
  broken.indptr = {0, 4, 3};
  CHECK_THROWS_AS(log1p(broken), ValueError);
  const CsrMatrix x = five();
  check_op_error<ValueError>([&] { highly_variable_genes(x, {.n_top = 0}); },
                             "highly_variable_genes: n_top expects >= 1, got 0");
  check_op_error<ValueError>([&] { columns_of(x, {1, 1}); }, "columns_of: column 1 is named twice");
  check_op_error<ValueError>([] { hvg_flavour("seurat_v3"); },
                             "hvg flavour: expected seurat or cell_ranger, got seurat_v3");
}
