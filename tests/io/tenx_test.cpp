// HDF5 files of Cell Ranger, from version 3 on and before.
#include <array>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/single_cells.h"
#include "io/expect_fault.h"
#include "io/hdf5_writer.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::io;

namespace {

using Words = std::vector<std::string>;

// Three cells, four genes: (1, 0, 4, 0), (0, 0, 0, 0), (0, 10, 0, 2).
struct Tenx {
  std::string group = "matrix";
  Words types = {"Gene Expression", "Gene Expression", "Gene Expression", "Antibody Capture"};
  std::vector<int64_t> data = {4, 1, 10, 2}, indices = {2, 0, 1, 3}, indptr = {0, 2, 2, 4},
                       shape = {4, 3};
  bool old = false, second_genome = false;

  static void integers(hid_t parent, const char* name, const std::vector<int64_t>& values) {
    const std::array<hsize_t, 1> size{values.size()};
    write_array(parent, name, size, H5T_NATIVE_INT64, H5T_STD_I32LE, values.data());
  }

  void write_group(hid_t root, const std::string& name) const {
    const H5Id g = create_group(root, name);
    write_strings(g, "barcodes", Words{"AAA-1", "CCC-1", "GGG-1"});
    integers(g, "data", data);
    integers(g, "indices", indices);
    integers(g, "indptr", indptr);
    integers(g, "shape", shape);
    const Words ids = {"E1", "E2", "E3", "E4"}, names = {"MPO", "ELANE", "CD34", "CD3"};
    if (old) {
      write_strings(g, "genes", ids);
      write_strings(g, "gene_names", names);
      return;
    }
    const H5Id f = create_group(g, "features");
    write_strings(f, "id", ids);
    write_strings(f, "name", names);
    write_strings(f, "feature_type", types);
    write_strings(f, "genome", Words{"GRCh38", "GRCh38", "GRCh38", ""});
  }

  std::string write(const TempFolder& folder, const std::string& name = "cells.h5") const {
    const Hdf5Image image;
    write_group(image.root(), group);
    if (second_genome) write_group(image.root(), "mm10");
    write_file_atomically(folder / name, image.bytes());
    return folder / name;
  }
};

}  // namespace

TEST_CASE("10x: version 3, features of gene expression") {
  const TempFolder folder;
  const std::string path = Tenx{}.write(folder, "named.anyhow");
  const SingleCells c = read_single_cells(path);
  CHECK(c.x.columns == 3);
  CHECK(c.x.values == std::vector<float>{1, 4, 10});
  CHECK(c.x.indices == std::vector<int32_t>{0, 2, 1});
  CHECK(c.x.indptr == std::vector<int64_t>{0, 2, 2, 3});
  CHECK(c.obs.names == Words{"AAA-1", "CCC-1", "GGG-1"});
  CHECK(c.var.names == Words{"MPO", "ELANE", "CD34"});
  REQUIRE(c.var.columns.size() == 3);
  CHECK(std::get<Words>(c.var.columns[0].second) == Words{"E1", "E2", "E3"});
  CHECK(c.notes == Words{"1 features are left out: they are no gene expression",
                         "1 cells had unsorted genes"});
  CHECK(read_single_cells(path, "X").x.values == c.x.values);
  expect_fault<DataError>("h5ad.form", [&] { read_single_cells(path, "layers/counts"); });
  const SingleCells all =
      read_single_cells(Tenx{.types = Words(4, "Gene Expression")}.write(folder));
  CHECK(all.x.values == std::vector<float>{1, 4, 10, 2});
  // Nothing but antibodies: kept.
  CHECK(read_single_cells(Tenx{.types = Words(4, "Antibody Capture")}.write(folder)).x.columns ==
        4);
}

TEST_CASE("10x: before version 3, a group per genome") {
  const TempFolder folder;
  const SingleCells c = read_single_cells(Tenx{.group = "hg19", .old = true}.write(folder));
  CHECK(c.x.values == std::vector<float>{1, 4, 10, 2});
  CHECK(c.var.names == Words{"MPO", "ELANE", "CD34", "CD3"});
  CHECK(c.var.columns[0].first == "gene_ids");
  const std::string message = expect_fault<DataError>("h5ad.form", [&] {
    read_single_cells(Tenx{.group = "hg19", .old = true, .second_genome = true}.write(folder));
  });
  CHECK(message.find("2 genomes: hg19, mm10; expected one") != std::string::npos);
}

TEST_CASE("10x: arrays that do not fit together are refused with their place") {
  const TempFolder folder;
  const auto refused = [&](const Tenx& file, const std::string& text) {
    const std::string message =
        expect_fault<DataError>("h5ad.form", [&] { read_single_cells(file.write(folder)); });
    CAPTURE(message);
    CHECK(message.find(text) != std::string::npos);
  };
  refused({.indices = {2, 0, 1, 4}}, "matrix/indices: value 4 at position 3; expected 0 to 3");
  refused({.indices = {2, 0, 1}}, "matrix/indptr: sizes that do not fit");
  refused({.indptr = {0, 3, 2, 4}}, "matrix/indptr: a fall at position 2");
  refused({.indptr = {0, 2, 2, 9}}, "matrix/indptr: sizes that do not fit");
  refused({.indptr = {}}, "matrix/indptr: sizes that do not fit");
  refused({.shape = {4}}, "matrix/shape: a wrong shape; expected [genes, cells]");
  refused({.shape = {4, -3}}, "matrix/shape: a wrong shape");
  refused({.shape = {4, 2}}, "obs: 3 names; expected 2");
  refused({.shape = {5, 3}}, "var: 4 names; expected 5");
  refused({.types = {"Gene Expression"}}, "var/feature_types: 1 values; expected 4");
}

TEST_CASE("10x: several samples of a folder") {
  const TempFolder folder;
  Tenx{}.write(folder, "GSM1_a.h5");
  Tenx{.data = {5, 5, 5, 5}}.write(folder, "GSM2_b.h5");
  const SingleCells c = read_single_cells(folder.path());
  CHECK(c.x.values == std::vector<float>{1, 4, 10, 5, 5, 5});
  CHECK(c.obs.names[3] == "b_AAA-1");
  CHECK(std::get<Categorical>(c.obs.columns[0].second).categories == Words{"a", "b"});
  AnnData d;
  d.X = CsrMatrix{1, 1, {1}, {0}, {0, 1}};
  d.obs.names = {"x"};
  d.var.names = {"y"};
  write_h5ad(folder / "c.h5ad", d);
  expect_fault<DataError>("cells.form", [&] { read_single_cells(folder.path()); });
}
