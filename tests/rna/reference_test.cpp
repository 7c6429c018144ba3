// Agreement with scanpy; tests/reference/expression.py prints the header.
#include "rna/reference_expected.h"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/rna/expression.h"
#include "rna/counts.h"

using namespace cytograd;
using namespace cytograd::rna;

namespace {

CsrMatrix logarithms() {
  std::vector<std::vector<float>> rows;
  for (int i = 0; i < 200; ++i) {
    std::vector<float> row;
    for (int g = 0; g < 120; ++g) {
      const double wave = std::sin(.37 * i * (1 + g % 5) + g) + .6 * std::sin(1.9 * i + .1 * g * g);
      row.push_back(
          static_cast<float>(std::max(0.0, std::floor((1 + g % 9) * wave * (1 + .02 * g)))));
    }
    rows.push_back(row);
  }
  CsrMatrix x = test::sparse(rows);
  normalise_total(x);
  log1p(x);
  return x;
}

void compare(HvgFlavour flavour, const std::vector<double>& normalised,
             const std::vector<int64_t>& top, const std::vector<int64_t>& cut) {
  const CsrMatrix x = logarithms();
  const VariableGenes found = highly_variable_genes(x, {.flavour = flavour, .n_top = 20});
  REQUIRE(found.normalised.size() == normalised.size());
  for (size_t g = 0; g < normalised.size(); ++g) {
    CAPTURE(g);
    CAPTURE(found.normalised[g]);
    CAPTURE(normalised[g]);
    // scanpy keeps expm1(x), or the dispersions, in float32.
    CHECK((std::isnan(normalised[g]) ? std::isnan(found.normalised[g])
                                     : std::abs(found.normalised[g] - normalised[g]) <=
                                           1e-4 * std::max(1.0, std::abs(normalised[g]))));
  }
  CHECK(found.genes == top);
  CHECK(highly_variable_genes(x, {.flavour = flavour, .n_top = std::nullopt}).genes == cut);
}

}  // namespace

TEST_CASE("highly variable genes: scanpy's, flavour seurat") {
  compare(HvgFlavour::seurat, expected::seurat_normalised, expected::seurat_top_genes,
          expected::seurat_cut_genes);
}
TEST_CASE("highly variable genes: scanpy's, flavour cell_ranger") {
  compare(HvgFlavour::cell_ranger, expected::cell_ranger_normalised,
          expected::cell_ranger_top_genes, expected::cell_ranger_cut_genes);
}
