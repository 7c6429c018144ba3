#include <cmath>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/h5ad_table.h"
#include "cytograd/io/text.h"
#include "support/data.h"
#include "support/kernel_case.h"
#include "support/program.h"
#include "support/temp_folder.h"

using namespace cytograd;
using test::cyto;

namespace {

using Words = std::vector<std::string>;

// Two classes far apart: name, kind, f0..f4.
void write_rows(const std::string& path, int rows) {
  const auto values = test::random_values<float>("csv", rows * 5);
  CsvWriter out(path, Words{"name", "kind", "f0", "f1", "f2", "f3", "f4"});
  for (int i = 0; i < rows; ++i) {
    Words row = {"cell" + std::to_string(i), i % 2 ? "a" : "b"};
    for (int c = 0; c < 5; ++c)
      row.push_back(format_float(values[static_cast<size_t>(i * 5 + c)] + (i % 2 ? 9.0f : 0.0f)));
    out.row(row);
  }
  out.commit();
}

}  // namespace

TEST_CASE("cyto umap: CSV to h5ad and CSV, a picture, a model, and new rows on it") {
  const TempFolder folder;
  const std::string in = folder / "in.csv", out = folder / "out.h5ad", model = folder / "m.umap";
  write_rows(in, 60);
  const auto first =
      cyto({"umap", in, "-o", out, "--columns", "f", "--labels", "kind", "--model", model,
            "--picture", folder / "p.svg", "--quality", "5", "--json", "--epochs", "50"});
  CAPTURE(first.err);
  REQUIRE(first.exit == 0);
  CHECK(first.out.find("\"rows\":60,\"columns\":5") != std::string::npos);
  CHECK(first.out.find("\"trustworthiness\":0.") != std::string::npos);
  const std::string picture = read_file(folder / "p.svg");
  CHECK(picture.find("</svg>") != std::string::npos);
  const CellTable table = read_h5ad_table(out, "obsm/X_umap", "kind");
  CHECK(table.names[3] == "cell3");
  CHECK(table.values.columns == 2);
  REQUIRE(table.labels);
  CHECK(table.labels->categories == Words{"b", "a"});
  CHECK(table.labels->codes[3] == 1);
  for (const float v : table.values.values) CHECK(std::isfinite(v));

  // The map guides another table; its own rows as the start of a third map.
  const auto placed =
      cyto({"umap", in, "-o", folder / "new.csv", "--columns", "f", "--transform", model});
  CHECK(placed.exit == 0);
  const CsvTable csv = read_csv(folder / "new.csv");
  CHECK(csv.rows() == 60);
  CHECK(csv.header() == Words{"name", "umap1", "umap2"});
  CHECK(cyto({"umap", in, "-o", folder / "again.csv", "--columns", "f", "--init",
              folder / "new.csv", "--epochs", "5"})
            .exit == 0);
  CHECK(cyto({"umap", in, "-o", out, "--columns", "f"}).exit == 4);
}

TEST_CASE("cyto umap: the same bytes for any number of threads") {
  const TempFolder folder;
  const std::string in = folder / "in.csv";
  write_rows(in, 300);
  for (const std::string threads : {"1", "2", "3"})
    REQUIRE(cyto({"umap", in, "-o", folder / (threads + ".csv"), "--threads", threads, "--epochs",
                  "30"})
                .exit == 0);
  CHECK(read_file(folder / "1.csv") == read_file(folder / "2.csv"));
  CHECK(read_file(folder / "1.csv") == read_file(folder / "3.csv"));
}

TEST_CASE("cyto umap: wrong calls and wrong files") {
  const TempFolder folder;
  const std::string in = folder / "in.csv";
  write_rows(in, 30);
  const auto fails = [&](const Words& more, int exit, const std::string& text) {
    Words words = {"umap", in, "-o", folder / "out.h5ad"};
    words.insert(words.end(), more.begin(), more.end());
    const auto result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == exit);
    CHECK(result.err.find(text) != std::string::npos);
  };
  fails({"--neighbors", "1"}, 2, "neighbors expects 2 or more, got 1");
  fails({"--labels", "knd"}, 3, "knd");
  fails({"--columns", "x"}, 3, "names that begin with x");
  fails({"--columns", "k"}, 3, "csv");
  fails({"--transform", in}, 3, "in.csv");
  fails({"--start", "middle"}, 2, "middle");
  const auto named = cyto({"umap", in, "-o", folder / "out.txt"});
  CHECK(named.exit == 2);
  CHECK(cyto({"umap", folder / "no.h5ad", "-o", folder / "o.h5ad"}).exit == 4);
  write_file_atomically(folder / "bad.h5ad", "no HDF5");
  const auto bad = cyto({"umap", folder / "bad.h5ad", "-o", folder / "o.h5ad"});
  CHECK(bad.exit == 3);
  CHECK(bad.err.find("[h5ad.form]") != std::string::npos);
  write_file_atomically(folder / "nan.csv", "a,b\n1,2\n3,nan\n");
  CHECK(cyto({"umap", folder / "nan.csv", "-o", folder / "o.h5ad"}).exit == 3);
}

TEST_CASE("h5ad tables: sparse counts with classes, and what is refused") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const CellTable paul =
      read_h5ad_table(*data / "paul15_subset/paul15_240genes.h5ad", "X", "celltype");
  CHECK(paul.values.rows == 1995);
  CHECK(paul.values.columns == 240);
  CHECK(paul.labels->categories.size() == 7);
  CHECK_THROWS_AS(read_h5ad_table(*data / "paul15_subset/paul15_240genes.h5ad", "obsm/X_none"),
                  DataError);
  CHECK(read_h5ad_table(*data / "anndata_archives/v0.7.0.h5ad").values.columns == 20);  // lzf
  // Older than 0.7, or without X: refused with a reason.
  for (const std::string name : {"v0.5.0", "v0.11.4"}) {
    std::string id = "nothing";
    try {
      read_h5ad_table((*data / "anndata_archives" / (name + ".h5ad")).string());
    } catch (const DataError& e) {
      id = e.fault().id;
    }
    CHECK(id == "h5ad.form");
  }
}

TEST_CASE("h5ad tables: malformed HDF5 is an error, never a crash") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(*data / "hdf5_malformed"))
    if (entry.is_regular_file()) CHECK_THROWS_AS(read_h5ad_table(entry.path()), DataError);
}

TEST_CASE("cyto umap: anndata reads the map") {
  const char* python = std::getenv("CYTOGRAD_PYTHON");
  if (!python) {
    MESSAGE("skipped: CYTOGRAD_PYTHON names no Python with anndata");
    return;
  }
  const TempFolder folder;
  write_rows(folder / "in.csv", 40);
  REQUIRE(cyto({"umap", folder / "in.csv", "-o", folder / "o.h5ad", "--labels", "kind"}).exit == 0);
  write_file_atomically(folder / "check.py",
                        "import sys, anndata\n"
                        "a = anndata.read_h5ad(sys.argv[1])\n"
                        "assert a.obsm['X_umap'].shape == (40, 2)\n"
                        "assert a.obs_names[3] == 'cell3'\n"
                        "assert list(a.obs['kind'].cat.categories) == ['b', 'a']\n");
  const std::string command =
      std::string(python) + " " + (folder / "check.py") + " " + (folder / "o.h5ad");
  CHECK(std::system(command.c_str()) == 0);
}
