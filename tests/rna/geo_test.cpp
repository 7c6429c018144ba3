// Bone marrow samples of GSE116256 from their tables, one by one and as one set: the genes that
// scanpy marks; tests/reference/geo_variable_genes.py prints how many, and a hash of which ones.
#include <filesystem>
#include <map>

#include <doctest/doctest.h>

#include "cytograd/io/single_cells.h"
#include "cytograd/rna/cell_source.h"
#include "rna/geo_expected.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::rna;

namespace {

uint64_t fnv1a(const std::vector<int64_t>& genes) {
  uint64_t value = 0xCBF29CE484222325u;
  for (const int64_t g : genes)
    for (const char c : std::to_string(g) + ",")
      value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return value;
}

CsrMatrix genes_in(const CsrMatrix& x, int64_t least_cells) {
  const ValueSummary summary = MatrixCells(x).summary();
  std::vector<int64_t> genes;
  for (size_t g = 0; g < summary.cells_per_gene.size(); ++g)
    if (summary.cells_per_gene[g] >= least_cells) genes.push_back(static_cast<int64_t>(g));
  return columns_of(x, genes);
}

void compare(const std::string& sample, const CsrMatrix& counts) {
  for (const expected::Marked& e : expected::geo) {
    if (e.sample != sample) continue;
    CAPTURE(sample);
    CAPTURE(e.flavour);
    CAPTURE(e.n_top);
    CsrMatrix x = e.least_cells > 0 ? genes_in(counts, e.least_cells) : counts;
    CHECK(x.rows == e.cells);
    CHECK(x.columns == e.genes);
    normalise_total(x);
    log1p(x);
    HvgOptions options{.flavour = hvg_flavour(e.flavour)};
    options.n_top = e.n_top > 0 ? std::optional(e.n_top) : std::nullopt;
    const VariableGenes found = highly_variable_genes(x, options);
    CHECK(static_cast<int64_t>(found.genes.size()) == e.count);
    CHECK(fnv1a(found.genes) == e.hash);
  }
}

}  // namespace

TEST_CASE("highly variable genes of GSE116256 bone marrow: scanpy's flags") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const auto folder = *data / "GSE116256_RAW";
  const TempFolder marrow;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.find("_BM") != std::string::npos)
      std::filesystem::create_symlink(entry.path(), marrow / name);
  }
  const std::map<std::string, std::string> samples = {
      {"BM1", "GSM3587996_BM1"}, {"BM3", "GSM3587998_BM3"}, {"BM5-34p", "GSM3588002_BM5-34p"}};
  for (const auto& [sample, file] : samples)
    compare(sample, read_single_cells(folder / (file + ".dem.txt.gz")).x);
  const SingleCells all = read_single_cells(marrow.path());
  CHECK(std::get<Categorical>(all.obs.columns[0].second).categories.size() == 3);
  compare("all", all.x);
}
