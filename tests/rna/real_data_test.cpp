// Real counts: the genes that scanpy marks; tests/reference/expression.py prints them.
#include <doctest/doctest.h>

#include "cytograd/io/single_cells.h"
#include "cytograd/rna/expression.h"
#include "rna/reference_expected.h"
#include "support/data.h"

using namespace cytograd;
using namespace cytograd::rna;

namespace {

void compare(const CsrMatrix& x, HvgFlavour flavour, const std::vector<int64_t>& top,
             const std::vector<int64_t>& cut) {
  CHECK(highly_variable_genes(x, {.flavour = flavour, .n_top = 100}).genes == top);
  CHECK(highly_variable_genes(x, {.flavour = flavour, .n_top = std::nullopt}).genes == cut);
}

}  // namespace

TEST_CASE("highly variable genes of real cells: scanpy's flags") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  SingleCells paul = read_single_cells(*data / "paul15_subset/paul15_240genes.h5ad");
  CHECK(state_of(paul.x, false) == ExpressionState::counts);
  normalise_total(paul.x);
  log1p(paul.x);
  CHECK(state_of(paul.x, false) == ExpressionState::lognorm);
  compare(paul.x, HvgFlavour::seurat, expected::paul15_seurat_top, expected::paul15_seurat_cut);
  compare(paul.x, HvgFlavour::cell_ranger, expected::paul15_cell_ranger_top,
          expected::paul15_cell_ranger_cut);
  const std::string pbmc = *data / "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad";
  CHECK(state_of(read_single_cells(pbmc).x, false) == ExpressionState::centred);
  const CsrMatrix raw = read_single_cells(pbmc, "raw/X").x;
  compare(raw, HvgFlavour::seurat, expected::pbmc68k_seurat_top, expected::pbmc68k_seurat_cut);
  compare(raw, HvgFlavour::cell_ranger, expected::pbmc68k_cell_ranger_top,
          expected::pbmc68k_cell_ranger_cut);
}

TEST_CASE("expression: states by their values") {
  const CsrMatrix counts{1, 2, {1, 10}, {0, 1}, {0, 2}};
  CHECK(state_of(counts, true) == ExpressionState::counts);
  CsrMatrix x = counts;
  x.values = {.5f, 10};
  CHECK(state_of(x, true) == ExpressionState::scaled);
  CHECK(state_of(x, false) == ExpressionState::lognorm);
  x.values[0] = -.5f;
  CHECK(state_of(x, true) == ExpressionState::centred);
  CHECK(std::string(name_of(ExpressionState::scaled)) == "scaled");
}
