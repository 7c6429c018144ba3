#include "cytograd/rna/cell_source.h"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "cytograd/core/random.h"
#include "cytograd/io/h5ad.h"
#include "rna/counts.h"
#include "support/op_case.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::rna;

namespace {

CsrMatrix counts(int64_t cells, int64_t genes) {
  Rng rng(5, "cells");
  CsrMatrix x;
  x.rows = cells;
  x.columns = genes;
  x.indptr.push_back(0);
  for (int64_t i = 0; i < cells; ++i) {
    for (int64_t g = 0; i % 37 != 5 && g < genes; ++g) {
      const int64_t n = rng.poisson(.2 + static_cast<double>(g % 9) / 3);
      if (n == 0 || g == 11) continue;
      x.indices.push_back(static_cast<int32_t>(g));
      x.values.push_back(static_cast<float>(n));
    }
    x.indptr.push_back(static_cast<int64_t>(x.values.size()));
  }
  return x;
}

// Blocks of so many cells, and how often they were asked for.
class Blocks : public CellSource {
 public:
  Blocks(const CsrMatrix& x, int64_t rows) : whole_(x), x_(x), rows_(rows) {}
  int64_t cells() const override { return x_.rows; }
  int64_t genes() const override { return x_.columns; }
  const ValueSummary& summary() const override { return whole_.summary(); }
  void each(const Take& take) const override {
    ++passes;
    for (int64_t first = 0; first < x_.rows; first += rows_) {
      CsrMatrix block;
      block.rows = std::min(rows_, x_.rows - first);
      block.columns = x_.columns;
      for (int64_t i = first; i <= first + block.rows; ++i)
        block.indptr.push_back(x_.indptr[static_cast<size_t>(i)] -
                               x_.indptr[static_cast<size_t>(first)]);
      const auto from = x_.indptr[static_cast<size_t>(first)], count = block.indptr.back();
      block.indices.assign(x_.indices.begin() + from, x_.indices.begin() + from + count);
      block.values.assign(x_.values.begin() + from, x_.values.begin() + from + count);
      take(first, block);
    }
  }
  mutable int passes = 0;

 private:
  MatrixCells whole_;
  const CsrMatrix& x_;
  int64_t rows_;
};

void same(const CsrMatrix& a, const CsrMatrix& b) {
  CHECK(a.rows == b.rows);
  CHECK(a.columns == b.columns);
  CHECK(a.values == b.values);
  CHECK(a.indices == b.indices);
  CHECK(a.indptr == b.indptr);
}

}  // namespace

TEST_CASE("cells in blocks: the same bits as the steps on the whole matrix") {
  const CsrMatrix x = counts(211, 60);
  for (const bool exclude : {false, true})
    for (const HvgFlavour flavour : {HvgFlavour::seurat, HvgFlavour::cell_ranger}) {
      PreprocessOptions options;
      options.variable = HvgOptions{.flavour = flavour, .n_top = 12};
      options.normalise.target = std::nullopt;
      if (exclude) options.normalise.exclude_above = .08;
      options.keep_counts = true;
      CsrMatrix logs = x;
      const Normalised n = normalise_total(logs, options.normalise);
      log1p(logs);
      const VariableGenes found = highly_variable_genes(logs, *options.variable);
      for (const int64_t rows : {1, 7, 50, 211}) {
        const Blocks blocks(x, rows);
        const Preprocessed p = preprocess(blocks, options);
        CHECK(blocks.passes == (exclude ? 5 : 3));
        CHECK(p.normalised.target == n.target);
        CHECK(p.normalised.left_out == n.left_out);
        CHECK(p.normalised.empty_cells == 6);
        CHECK(p.genes == found.genes);
        CHECK(p.variable.mean == found.mean);
        same(p.x, columns_of(logs, found.genes));
        same(p.counts, columns_of(x, found.genes));
        CHECK(p.scale.deviation == fit_scale(columns_of(logs, found.genes)).deviation);
      }
    }
  const Blocks blocks(x, 10);
  const Preprocessed all = preprocess(blocks, {.variable = std::nullopt});
  CHECK(blocks.passes == 1);
  CHECK(all.x.columns == 60);
  CHECK(all.counts.values.empty());
}

TEST_CASE("cells in blocks: what the values are, and the first that cannot be") {
  CsrMatrix x = counts(60, 20);
  const MatrixCells cells(x);
  const ValueSummary& s = cells.summary();
  CHECK(s.stored == static_cast<int64_t>(x.values.size()));
  CHECK(s.empty_cells == 2);
  CHECK(s.empty_genes() == 1);
  CHECK(s.cells_per_gene[11] == 0);
  CHECK(s.bad_cell == -1);
  CHECK(s.state(false) == ExpressionState::counts);
  x.values.back() = -1.5f;
  x.values[3] = std::numeric_limits<float>::quiet_NaN();
  x.values[9] = std::numeric_limits<float>::infinity();
  const MatrixCells bad(x);
  CHECK(bad.summary().negative == 1);
  CHECK(bad.summary().not_finite == 2);
  CHECK(bad.summary().bad_cell == 0);
  CHECK(bad.summary().bad_gene == x.indices[3]);
  CHECK(bad.summary().state(false) == ExpressionState::centred);
  test::check_op_error<DataError>([&] { preprocess(x); },
                                  "cell 0, gene " + std::to_string(x.indices[3]) +
                                      ": value nan, the first of 3 such; expected a finite value "
                                      "of at least 0 [rna.values]");
  x.indices[0] = 20;
  CHECK_THROWS_AS(MatrixCells{x}, ValueError);
}

TEST_CASE("cells of a file: kept or read again, the same; a file that changes meanwhile") {
  const TempFolder folder;
  AnnData d;
  d.X = counts(80, 30);
  for (int i = 0; i < 80; ++i) d.obs.names.push_back("c" + std::to_string(i));
  for (int g = 0; g < 30; ++g) d.var.names.push_back("g" + std::to_string(g));
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, d);
  const FileCells kept(path), again(path, "X", 100);
  CHECK(kept.kept());
  CHECK_FALSE(again.kept());
  CHECK(again.head().obs.names == d.obs.names);
  CHECK(again.head().x.values.empty());
  const PreprocessOptions options{.variable = HvgOptions{.n_top = 9}};
  const Preprocessed a = preprocess(kept, options), b = preprocess(again, options);
  CHECK(a.genes == b.genes);
  same(a.x, b.x);
  same(a.x, preprocess(std::get<CsrMatrix>(d.X), options).x);
  std::get<CsrMatrix>(d.X).values[40] += 1;
  write_h5ad(path, d);
  try {
    preprocess(again, options);
    FAIL("no error");
  } catch (const DataError& e) {
    CHECK(e.fault().id == "change");
  }
}
