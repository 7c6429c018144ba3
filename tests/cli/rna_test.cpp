#include <algorithm>
#include <cstdlib>
#include <limits>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cytograd/core/random.h"
#include "cytograd/io/file.h"
#include "cytograd/io/single_cells.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;

namespace {

using Json = nlohmann::json;

// Counts of 40 cells and 30 genes, the last gene without any.
AnnData made() {
  AnnData d;
  CsrMatrix x;
  x.rows = 40;
  x.columns = 30;
  x.indptr.push_back(0);
  Rng rng(1, "cells");
  Categorical type{{}, {"HSC", "Mono"}, false};
  for (int i = 0; i < 40; ++i) {
    for (int g = 0; g < 29; ++g) {
      const int64_t n = rng.poisson(g % 7 + (i % 2 == g % 2 ? 3.0 : 0.0));
      if (n == 0) continue;
      x.indices.push_back(g);
      x.values.push_back(static_cast<float>(n));
    }
    x.indptr.push_back(static_cast<int64_t>(x.values.size()));
    d.obs.names.push_back("cell" + std::to_string(i));
    type.codes.push_back(i == 0 ? -1 : i % 2);
  }
  for (int g = 0; g < 30; ++g) d.var.names.push_back("gene" + std::to_string(g));
  d.X = x;
  d.obs.columns = {{"type", type}};
  d.obsm["X_pca"] = {40, 2, std::vector<float>(80, .5f)};
  return d;
}

std::string write_made(const TempFolder& folder) {
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, made());
  return path;
}

}  // namespace

TEST_CASE("cyto rna inspect: cells, genes, columns, matrices, values") {
  const TempFolder folder;
  const std::string path = write_made(folder);
  const auto result = cyto({"rna", "inspect", path, "--json"});
  CAPTURE(result.err);
  REQUIRE(result.exit == 0);
  const Json json = Json::parse(result.out);
  CHECK(json["cells"] == 40);
  CHECK(json["genes"] == 30);
  CHECK(json["obs"]["type"]["categories"] == Json{{"HSC", 19}, {"Mono", 20}});
  CHECK(json["obs"]["type"]["missing"] == 1);
  CHECK(json["obsm"]["X_pca"]["columns"] == 2);
  CHECK(json["layers"].empty());
  CHECK(json["values"]["state"] == "counts");
  CHECK(json["values"]["empty_genes"] == 1);
  CHECK(json["values"]["negative"] == 0);
  const auto text = cyto({"rna", "inspect", path});
  CHECK(text.out.find("obs/type  categories: HSC 19, Mono 20") != std::string::npos);
  CHECK(cyto({"rna", "inspect", folder / "no.h5ad"}).exit == 4);
  CHECK(cyto({"rna", "inspect", path, "--expr-source", "layer:no"}).exit == 3);
  CHECK(cyto({"rna", "inspect", path, "--expr-source", "Y"}).exit == 2);
  CHECK(cyto({"rna"}).exit == 2);
}

TEST_CASE("cyto rna preprocess: genes, layers and a record; again from its own result") {
  const TempFolder folder;
  const std::string path = write_made(folder), out = folder / "ready.h5ad";
  const auto result =
      cyto({"rna", "preprocess", path, "-o", out, "--n-top", "8", "--hvg-exact", "--json"});
  CAPTURE(result.err);
  REQUIRE(result.exit == 0);
  const Json json = Json::parse(result.out);
  CHECK(json["kept"] == 8);
  CHECK(json["steps"].size() == 4);
  const SingleCells ready = read_single_cells(out);
  CHECK(ready.x.columns == 8);
  CHECK(ready.obs.columns.size() == 1);
  CHECK(ready.obsm.count("X_pca") == 1);
  const auto column = [&](const std::string& name) {
    for (const auto& [key, values] : ready.var.columns)
      if (key == name) return values;
    FAIL("no column " << name);
    return Column();
  };
  CHECK(std::get<std::vector<bool>>(column("highly_variable")) == std::vector<bool>(8, true));
  const auto deviation = std::get<std::vector<double>>(column("std"));
  const CsrMatrix unit = read_single_cells(out, "layers/unit").x;
  for (size_t e = 0; e < unit.values.size(); ++e) {
    CHECK(unit.values[e] > 0);
    CHECK(unit.values[e] <= 1);
    // Some are cut at 10, which becomes 1.
    const float scaled =
        ready.x.values[e] / static_cast<float>(deviation[static_cast<size_t>(unit.indices[e])]);
    CHECK(unit.values[e] == doctest::Approx(std::min(scaled, 10.0f) / 10));
  }
  for (const float v : read_single_cells(out, "layers/counts").x.values)
    CHECK(v == static_cast<float>(static_cast<int>(v)));
  const auto again =
      cyto({"rna", "preprocess", out, "-o", folder / "again.h5ad", "--hvg", "from-var"});
  CHECK(again.exit == 0);
  CHECK(again.out.find("input: logarithms") != std::string::npos);
  CHECK(read_single_cells(folder / "again.h5ad").x.values == ready.x.values);
  REQUIRE(cyto({"rna", "preprocess", path, "-o", folder / "all.h5ad", "--hvg", "none", "--target",
                "median"})
              .exit == 0);
  CHECK(read_single_cells(folder / "all.h5ad").x.columns == 30);
}

TEST_CASE("cyto rna preprocess: the same bytes for any number of threads; wrong calls") {
  const TempFolder folder;
  const std::string path = write_made(folder), out = folder / "1.h5ad";
  for (const std::string threads : {"1", "3"})
    REQUIRE(cyto({"rna", "preprocess", path, "-o", folder / (threads + ".h5ad"), "--threads",
                  threads, "--hvg", "cell_ranger", "--n-top", "5"})
                .exit == 0);
  CHECK(read_file(out) == read_file(folder / "3.h5ad"));
  const auto fails = [&](const std::vector<std::string>& more, int exit, const std::string& text) {
    std::vector<std::string> words = {"rna", "preprocess", path, "-o", folder / "x.h5ad"};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == exit);
    CHECK(result.err.find(text) != std::string::npos);
  };
  fails({"--hvg", "from-var"}, 3, "var/highly_variable: no gene is marked");
  fails({"--target", "many"}, 2, "--target expects a number or median, got many");
  fails({"--expr-state", "scaled"}, 3, "[rna.values]");
  fails({"--hvg", "seurat_v3"}, 2, "seurat_v3");
  fails({"--as-is", "--clip", "5", "--hvg", "none"}, 2, "--hvg and --clip go without --as-is");
  fails({"--as-is", "--expr-state", "counts"}, 2, "--expr-state goes without --as-is");
  fails({"--hvg", "none", "--n-top", "5"}, 2,
        "--n-top goes with --hvg seurat or cell_ranger, got --hvg none [cli]");
  fails({"--hvg", "from-var", "--hvg-exact"}, 2, "--hvg-exact goes with --hvg seurat");
  fails({"--n-top", "0", "--hvg-exact"}, 2, "--hvg-exact goes with --n-top of 1 or more");
  fails({"--expr-state", "lognorm", "--target", "median"}, 2,
        "--target goes with counts; " + path + ": X is normalised already (lognorm");
  CHECK(cyto({"rna", "preprocess", path, "-o", folder / "x.csv"}).exit == 2);
  CHECK(cyto({"rna", "preprocess", path, "-o", out}).exit == 4);
  AnnData bad = made();
  std::get<CsrMatrix>(bad.X).values[3] = std::numeric_limits<float>::infinity();
  write_h5ad(folder / "bad.h5ad", bad);
  const auto infinite = cyto({"rna", "preprocess", folder / "bad.h5ad", "-o", folder / "x.h5ad"});
  CHECK(infinite.exit == 3);
  CHECK(infinite.err.find("X, cell cell0, gene gene") != std::string::npos);
  CHECK(infinite.err.find("value inf, the first of 1 that are not finite") != std::string::npos);
  std::get<CsrMatrix>(bad.X).values[3] = -2;
  write_h5ad(folder / "bad.h5ad", bad);
  CHECK(cyto({"rna", "preprocess", folder / "bad.h5ad", "-o", folder / "x.h5ad"})
            .err.find("value -2, the first of 1 negative values") != std::string::npos);
}

TEST_CASE("cyto rna preprocess: scaled values have no dispersion to choose genes by") {
  const TempFolder folder;
  AnnData d = made();
  auto& x = std::get<CsrMatrix>(d.X);
  for (float& v : x.values) v = std::min(10.0f, .7f * v);
  x.values[0] = 10;
  std::vector<bool> marked(30, false);
  marked[2] = marked[5] = true;
  d.var.columns = {{"std", std::vector<double>(30, 1.0)}, {"highly_variable", marked}};
  const std::string path = folder / "scaled.h5ad", out = folder / "out.h5ad";
  write_h5ad(path, d);
  const auto refused = cyto({"rna", "preprocess", path, "-o", out});
  CHECK(refused.exit == 3);
  CHECK(refused.err.find("--hvg from-var") != std::string::npos);
  const auto taken = cyto({"rna", "preprocess", path, "-o", out, "--hvg", "from-var"});
  CHECK(taken.exit == 0);
  CHECK(taken.out.find("input: divided by the deviation") != std::string::npos);
  CHECK(read_single_cells(out).x.columns == 2);
}

TEST_CASE("cyto rna: MatrixMarket, tables of counts, several samples") {
  const TempFolder folder;
  write_file_atomically(folder / "matrix.mtx",
                        "%%MatrixMarket matrix coordinate integer general\n3 4 6\n"
                        "1 1 5\n2 1 1\n3 2 7\n1 3 2\n2 3 9\n3 4 1\n");
  write_file_atomically(folder / "barcodes.tsv", "A\nC\nG\nT\n");
  write_file_atomically(folder / "genes.tsv", "E1\tMPO\nE2\tELANE\nE3\tCD34\n");
  const auto inspected = cyto({"rna", "inspect", folder.path().string(), "--json"});
  CAPTURE(inspected.err);
  REQUIRE(inspected.exit == 0);
  const Json json = Json::parse(inspected.out);
  CHECK(json["cells"] == 4);
  CHECK(json["genes"] == 3);
  CHECK(json["values"]["state"] == "counts");
  CHECK(json["values"]["not_zero"] == 6);
  CHECK(json["var"]["gene_ids"]["different"] == 3);
  const std::string out = folder / "out.h5ad", same = folder / "same.h5ad";
  REQUIRE(cyto({"rna", "preprocess", folder / "matrix.mtx", "-o", out, "--hvg", "none"}).exit == 0);
  CHECK(read_single_cells(out, "layers/counts").x.values == std::vector<float>{5, 1, 7, 2, 9, 1});
  const auto converted = cyto({"rna", "preprocess", folder / "matrix.mtx", "-o", same, "--as-is"});
  CHECK(converted.exit == 0);
  CHECK(converted.out.find("values as they are") != std::string::npos);
  const SingleCells read = read_single_cells(same);
  CHECK(read.x.values == std::vector<float>{5, 1, 7, 2, 9, 1});
  CHECK(read.var.names == std::vector<std::string>{"MPO", "ELANE", "CD34"});
  write_file_atomically(folder / "matrix.mtx",
                        "%%MatrixMarket matrix coordinate integer general\n3 4 1\n1 1 -5\n");
  const auto bad = cyto({"rna", "inspect", folder / "matrix.mtx"});
  CHECK(bad.exit == 3);
  CHECK(bad.err.find("matrix.mtx: line 3: value -5; expected a whole number of at least 0 "
                     "[cells.form]") != std::string::npos);
  const TempFolder tables;
  write_file_atomically(tables / "GSM1_BM1.dem.txt", "Gene\ta\tb\nMPO\t1\t0\nCD34\t0\t3\n");
  write_file_atomically(tables / "GSM2_BM1.anno.txt", "Cell\tCellType\na\tGMP\nb\tHSC\n");
  write_file_atomically(tables / "GSM3_BM2.dem.txt", "Gene\tc\nMPO\t4\nCD34\t2\n");
  const auto joined = cyto({"rna", "inspect", tables.path().string()});
  CHECK(joined.exit == 0);
  CHECK(joined.out.find("obs/sample  categories: BM1 2, BM2 1") != std::string::npos);
  CHECK(joined.out.find("obs/CellType  categories: GMP 1, HSC 1") != std::string::npos);
  CHECK(cyto({"rna", "inspect", tables.path().string(), "--expr-source", "raw"}).exit == 3);
}

TEST_CASE("cyto rna preprocess: scanpy reads it") {
  const char* python = std::getenv("CYTOGRAD_PYTHON");
  if (!python) {
    MESSAGE("skipped: CYTOGRAD_PYTHON names no Python with anndata");
    return;
  }
  const TempFolder folder;
  const std::string path = write_made(folder), out = folder / "ready.h5ad";
  REQUIRE(cyto({"rna", "preprocess", path, "-o", out, "--n-top", "8"}).exit == 0);
  write_file_atomically(folder / "check.py",
                        "import sys, anndata\n"
                        "a = anndata.read_h5ad(sys.argv[1])\n"
                        "assert a.var['highly_variable'].dtype == bool\n"
                        "assert a[:, a.var['highly_variable']].shape == a.shape\n"
                        "assert a.layers['unit'].max() == 1 and a.layers['unit'].min() == 0\n"
                        "assert list(a.uns['cyto_steps'])[1] == 'log1p base=e'\n");
  const std::string command = std::string(python) + " " + (folder / "check.py") + " " + out;
  CHECK(std::system(command.c_str()) == 0);
}

TEST_CASE("cyto rna preprocess: no gene varies") {
  const TempFolder folder;
  AnnData d = made();
  CsrMatrix same{4, 2, {3, 3, 3, 3, 3, 3, 3, 3}, {0, 1, 0, 1, 0, 1, 0, 1}, {0, 2, 4, 6, 8}};
  d.X = same;
  d.obs = {{"a", "b", "c", "d"}, {}};
  d.var = {{"MPO", "CD34"}, {}};
  d.obsm.clear();
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, d);
  const auto result = cyto({"rna", "preprocess", path, "-o", folder / "out.h5ad", "--n-top", "0"});
  CHECK(result.exit == 3);
  CHECK(result.err.find(path + ": no gene is highly variable; expected genes that vary") !=
        std::string::npos);
  CHECK(result.err.find("[rna.values]") != std::string::npos);
}
