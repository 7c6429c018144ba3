#include "multimodal/kept_genes.h"

#include "cytograd/core/error.h"
#include "cytograd/io/hash.h"
#include "io/sparse_rows.h"

namespace cytograd::multimodal {

RnaCells with_genes(RnaCells cells, const std::vector<int64_t>& genes,
                    const std::vector<int64_t>& training) {
  check<ValueError>(!genes.empty(), "with_genes", "expects at least one gene");
  cells.x = rna::columns_of(cells.x, genes);
  CsrMatrix fitted = io::empty_rows(static_cast<int64_t>(training.size()), cells.x.columns);
  for (const int64_t row : training) io::append_rows(fitted, io::rows_of(cells.x, row, 1));
  cells.scale = rna::fit_scale(fitted, cells.scale.clip);
  std::vector<std::string> names;
  Xxh3Stream hash;  // of all cells, and of what is left of them
  hash.update(cells.hash.data(), cells.hash.size());
  hash.update(genes.data(), genes.size() * sizeof(int64_t));
  for (const int64_t g : genes) names.push_back(cells.genes[static_cast<size_t>(g)]);
  cells.genes = std::move(names);
  cells.hash = hash.digest();
  cells.steps.push_back("genes chosen beforehand genes=" + std::to_string(genes.size()) +
                        ", scaled by them alone");
  return cells;
}

}  // namespace cytograd::multimodal
