#include "cytograd/io/h5ad_extend.h"

#include <filesystem>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/single_cells.h"
#include "io/expect_fault.h"
#include "io/system.h"
#include "python_agrees.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

using Words = std::vector<std::string>;

AnnData small() {
  AnnData d;
  d.X = CsrMatrix{3, 2, {1, 2}, {0, 1}, {0, 1, 1, 2}};
  d.obs.names = {"a", "b", "c"};
  d.obs.columns = {{"type", Categorical{{1, -1, 0}, {"Mono", "HSC"}, true}},
                   {"time", std::vector<double>{1, 2, 3}}};
  d.var.names = {"MPO", "CD34"};
  d.obsm["X_pca"] = {3, 1, {1, 2, 3}};
  d.uns = {{"about", std::string("old")}};
  return d;
}

AnnAdditions more(int64_t cells) {
  const auto n = static_cast<size_t>(cells);
  AnnAdditions out;
  out.obsm["X_cyto_rna"] = {cells, 2, std::vector<float>(2 * n, .5f)};
  out.obs = {{"cyto_class", Categorical{std::vector<int32_t>(n, 0), {"HSC"}, false}},
             {"cyto_score", std::vector<double>(n, .25)}};
  out.uns = {{"cyto", std::string("0.1.0")}};
  return out;
}

Words columns_of(const AnnTable& table) {
  Words out;
  for (const auto& entry : table.columns) out.push_back(entry.first);
  return out;
}

}  // namespace

TEST_CASE("h5ad extended: new entries, replaced ones, the rest as it was") {
  const TempFolder folder;
  const std::string from = folder / "from.h5ad", to = folder / "to.h5ad";
  write_h5ad(from, small());
  const std::string before = read_file(from);
  AnnAdditions add = more(3);
  add.obs.emplace_back("time", std::vector<int64_t>{7, 8, 9});
  add.obsm["X_pca"] = {3, 2, {1, 2, 3, 4, 5, 6}};
  add.uns["about"] = Words{"new", "list"};
  extend_h5ad(from, to, add);
  CHECK(read_file(from) == before);
  CHECK(folder.count() == 2);
  const SingleCells c = read_single_cells(to);
  CHECK(c.x.values == std::vector<float>{1, 2});
  CHECK(columns_of(c.obs) == Words{"type", "time", "cyto_class", "cyto_score"});
  CHECK(std::get<Categorical>(c.obs.columns[0].second).ordered);
  CHECK(std::get<std::vector<int64_t>>(c.obs.columns[1].second)[2] == 9);
  CHECK(std::get<Categorical>(c.obs.columns[2].second).categories == Words{"HSC"});
  CHECK(c.obsm.at("X_pca").columns == 2);
  CHECK(c.obsm.at("X_cyto_rna").values == std::vector<float>(6, .5f));
  CHECK(python_agrees(to, R"(
import sys, warnings
warnings.simplefilter("error")
import anndata
a = anndata.read_h5ad(sys.argv[1])
assert list(a.obs.columns) == ["type", "time", "cyto_class", "cyto_score"]
assert a.obs.time.tolist() == [7, 8, 9] and a.obs.type.cat.ordered
assert a.obsm["X_cyto_rna"].shape == (3, 2) and a.obsm["X_pca"].shape == (3, 2)
assert list(a.uns["about"]) == ["new", "list"] and a.uns["cyto"] == "0.1.0"
)"));
  // Over itself.
  extend_h5ad(to, to, {.obs = {{"again", std::vector<bool>{true, false, true}}}});
  CHECK(columns_of(read_single_cells(to).obs).back() == "again");
}

TEST_CASE("h5ad extended: what cannot be is refused, and nothing is left behind") {
  const TempFolder folder;
  const std::string from = folder / "from.h5ad", to = folder / "to.h5ad";
  write_h5ad(from, small());
  const auto refused = [&](const AnnAdditions& add, const std::string& text) {
    const std::string message =
        expect_fault<DataError>("h5ad.form", [&] { extend_h5ad(from, to, add); });
    CAPTURE(message);
    CHECK(message.find(text) != std::string::npos);
    CHECK(folder.count() == 1);
  };
  refused(more(4), "from.h5ad: obs: 3 cells; expected 4");
  CHECK_THROWS_AS(extend_h5ad(from, to, {.obs = {{"_index", Words{"a", "b", "c"}}}}), ValueError);
  write_file_atomically(from, "no HDF5 file");
  refused(more(3), "no HDF5 file");
  expect_fault<FileError>("file.missing", [&] { extend_h5ad(folder / "no", to, more(3)); });
  AnnAdditions odd = more(3);
  odd.obs[0].first = "a/b";
  CHECK_THROWS_AS(extend_h5ad(from, to, odd), ValueError);
  odd = more(3);
  odd.obsm["X_cyto_rna"].rows = 2;
  CHECK_THROWS_AS(extend_h5ad(from, to, odd), ValueError);
  write_h5ad(from, small());
  io::testing::fail_syscall_at(3, ENOSPC);
  expect_fault<FileError>("disk.full", [&] { extend_h5ad(from, to, more(3)); });
  io::testing::fail_syscall_at(0, 0);
  CHECK(folder.count() == 1);
}

TEST_CASE("h5ad extended: real files, and one that is too old") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const TempFolder folder;
  const std::string to = folder / "to.h5ad";
  const auto archives = *data / "anndata_archives";
  for (const auto& file :
       {std::pair("v0.7.0", 30), std::pair("v0.7.8", 30), std::pair("v0.11.4", 10)}) {
    const std::string from = archives / (std::string(file.first) + ".h5ad");
    CAPTURE(from);
    extend_h5ad(from, to, more(file.second));
    const SingleCells c = read_single_cells(to), was = read_single_cells(from);
    CHECK(c.obs.columns.size() == was.obs.columns.size() + 2);
    CHECK(c.obsm.size() == was.obsm.size() + 1);
    CHECK(c.x.values == was.x.values);
    CHECK(python_agrees(to, R"(
import sys, warnings
warnings.simplefilter("ignore")
import anndata
a = anndata.read_h5ad(sys.argv[1])
assert list(a.obs.cyto_class) == ["HSC"] * a.n_obs and a.obsm["X_cyto_rna"].shape == (a.n_obs, 2)
)"));
  }
  expect_fault<DataError>("h5ad.form", [&] { extend_h5ad(archives / "v0.5.0.h5ad", to, more(3)); });
}
