#include "cytograd/io/h5ad.h"

#include <doctest/doctest.h>

#include <string>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "python_agrees.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

AnnData small() {
  AnnData d;
  d.X = CsrMatrix{3, 4, {1, 2, 3}, {0, 3, 1}, {0, 2, 2, 3}};
  d.obs.names = {"cell 1", "cell 2", "Zelle ü"};
  d.obs.columns = {{"celltype", Categorical{{1, -1, 0}, {"monocyte", "neutrophil"}, false}},
                   {"stage", Categorical{{0, 1, 2}, {"early", "mid", "late"}, true}},
                   {"pseudotime", std::vector<double>{0, 0.5, 1}},
                   {"batch", std::vector<int64_t>{1, 1, 2}},
                   {"note", std::vector<std::string>{"", "a,b", "\"q\""}}};
  d.var.names = {"Gata1", "Mpo", "Elane", "Cd34"};
  d.var.columns = {{"driver", std::vector<int64_t>{1, 0, 0, 1}}};
  d.obsm["X_cyto_embedding"] = {3, 2, {1, 2, 3, 4, 5, 6}};
  d.layers["counts"] = std::get<CsrMatrix>(d.X);
  d.uns = {{"cyto", std::string("0.1.0")},
           {"classes", std::vector<std::string>{"a", "b"}},
           {"seed", 7.0}};
  return d;
}

}  // namespace

TEST_CASE("h5ad: anndata reads what is written") {
  TempFolder folder;
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, small());
  CHECK(read_file(path).substr(0, 4) == "\x89HDF");
  CHECK(python_agrees(path, R"(
import sys, warnings
warnings.simplefilter("error")
import anndata, numpy as np, scipy.sparse
a = anndata.read_h5ad(sys.argv[1])
assert scipy.sparse.isspmatrix_csr(a.X) and a.X.dtype == np.float32
assert (a.X.toarray() == [[1, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0]]).all()
assert list(a.obs_names) == ["cell 1", "cell 2", "Zelle ü"]
assert list(a.obs.columns) == ["celltype", "stage", "pseudotime", "batch", "note"]
assert a.obs.celltype.astype(object).fillna("?").tolist() == ["neutrophil", "?", "monocyte"]
assert a.obs.stage.cat.ordered and not a.obs.celltype.cat.ordered
assert a.obs.pseudotime.tolist() == [0, 0.5, 1] and a.obs.batch.tolist() == [1, 1, 2]
assert a.obs.note.tolist() == ["", "a,b", '"q"']
assert list(a.var_names) == ["Gata1", "Mpo", "Elane", "Cd34"] and a.var.driver.tolist() == [1, 0, 0, 1]
assert (a.obsm["X_cyto_embedding"] == [[1, 2], [3, 4], [5, 6]]).all()
assert (a.layers["counts"] != a.X).nnz == 0
assert a.uns["cyto"] == "0.1.0" and list(a.uns["classes"]) == ["a", "b"] and a.uns["seed"] == 7
a.write_h5ad(sys.argv[1] + ".again")
)"));
}

TEST_CASE("h5ad: embeddings without genes, and sizes that are chunked and compressed") {
  TempFolder folder;
  AnnData d;
  d.X = DenseMatrix{1000, 0, {}};
  for (int i = 0; i < 1000; ++i) d.obs.names.push_back(std::to_string(i));
  d.obsm["X_cyto"] = {1000, 64, std::vector<float>(64'000, 0.25f)};
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, d);
  const std::string bytes = read_file(path);
  CHECK(bytes.size() < 100'000);
  write_h5ad(path, d);
  CHECK(read_file(path) == bytes);
  CHECK(python_agrees(path, R"(
import sys, anndata
a = anndata.read_h5ad(sys.argv[1])
assert a.shape == (1000, 0) and (a.obsm["X_cyto"] == 0.25).all() and a.obsm["X_cyto"].shape == (1000, 64)
)"));
}

TEST_CASE("h5ad: wrong sizes and names are refused before anything is written") {
  TempFolder folder;
  const std::string path = folder / "cells.h5ad";
  const auto refused = [&](auto&& change) {
    AnnData d = small();
    change(d);
    CHECK_THROWS_AS(write_h5ad(path, d), ValueError);
    CHECK(folder.count() == 0);
  };
  refused([](AnnData& d) { d.obs.names.pop_back(); });
  refused([](AnnData& d) { d.obs.names[0] = "\xff"; });
  refused([](AnnData& d) { d.obs.names[0] = std::string("a\0b", 3); });
  refused([](AnnData& d) { d.var.names.push_back("x"); });
  refused([](AnnData& d) { d.obs.columns[0].first = "a/b"; });
  refused([](AnnData& d) { d.obs.columns[0].first = "note"; });
  refused([](AnnData& d) { d.obs.columns[0].first = "_index"; });
  refused([](AnnData& d) { std::get<Categorical>(d.obs.columns[0].second).codes[0] = 2; });
  refused([](AnnData& d) { std::get<std::vector<double>>(d.obs.columns[2].second).pop_back(); });
  refused([](AnnData& d) { std::get<CsrMatrix>(d.X).indices[1] = 4; });
  refused([](AnnData& d) { std::get<CsrMatrix>(d.X).indices[1] = 0; });
  refused([](AnnData& d) { std::get<CsrMatrix>(d.X).indptr[1] = 9; });
  refused([](AnnData& d) { d.obsm["x"] = {2, 2, {1, 2, 3, 4}}; });
  refused([](AnnData& d) { d.obsm["x"] = {3, 2, {1, 2, 3, 4}}; });
}
