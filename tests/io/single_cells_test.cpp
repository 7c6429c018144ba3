#include "cytograd/io/single_cells.h"

#include <array>
#include <cmath>
#include <filesystem>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "io/expect_fault.h"
#include "io/hdf5_writer.h"
#include "io/lzf_filter.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::io;

namespace {

using Words = std::vector<std::string>;

// Three cells, four genes: (1, 0, 4, 0), (0, 0, 0, 0), (0, 10, 0, 2).
AnnData small() {
  AnnData d;
  d.X = CsrMatrix{3, 4, {1, 4, 10, 2}, {0, 2, 1, 3}, {0, 2, 2, 4}};
  d.obs.names = {"a", "b", "c"};
  d.obs.columns = {{"type", Categorical{{1, -1, 0}, {"Mono", "HSC"}, true}},
                   {"time", std::vector<double>{.5, 1, std::nan("")}},
                   {"batch", std::vector<int64_t>{1, 1, 2}},
                   {"note", Words{"", "ü", "x"}},
                   {"good", std::vector<bool>{true, false, true}}};
  d.var.names = {"MPO", "ELANE", "MPO", "MPO"};
  d.obsm["X_pca"] = {3, 2, {1, 2, 3, 4, 5, 6}};
  d.layers["counts"] = std::get<CsrMatrix>(d.X);
  return d;
}

void integers(hid_t parent, const char* name, const std::vector<int64_t>& values) {
  const std::array<hsize_t, 1> shape{values.size()};
  write_array(parent, name, shape, H5T_NATIVE_INT64, H5T_STD_I64LE, values.data());
}

// A file whose X is written by hand.
struct ByHand {
  std::string kind = "csr_matrix", attribute = "encoding-type";
  std::vector<int64_t> shape = {3, 4}, data = {4, 1, 10, 2}, indices = {2, 0, 1, 3},
                       indptr = {0, 2, 2, 4};
  std::vector<int64_t> codes = {0, -1, 1};

  std::string write(const TempFolder& folder) const {
    const Hdf5Image image;
    {
      const H5Id x = create_group(image.root(), "X");
      write_attribute(x, attribute.c_str(), kind);
      write_attribute(x, attribute == "encoding-type" ? "shape" : "h5sparse_shape",
                      std::span<const int64_t>(shape));
      integers(x, "data", data);
      integers(x, "indices", indices);
      integers(x, "indptr", indptr);
      const H5Id obs = create_group(image.root(), "obs");
      write_attribute(obs, "_index", std::string("names"));
      write_strings(obs, "names", Words{"a", "b", "c"});
      const H5Id type = create_group(obs, "type");
      integers(type, "codes", codes);
      write_strings(type, "categories", Words{"Mono", "HSC"});
      const H5Id age = create_group(obs, "age");
      integers(age, "values", {7, 8, 9});
      const std::array<hsize_t, 1> three{3};
      const std::array<int8_t, 3> mask{0, 1, 0};
      write_array(age, "mask", three, bool_type(), bool_type(), mask.data());
      create_group(obs, "other");
      const H5Id var = create_group(image.root(), "var");
      write_strings(var, "index", Words{"g0", "g1", "g2", "g3"});
    }
    const std::string path = folder / "hand.h5ad";
    write_file_atomically(path, image.bytes());
    return path;
  }
};

}  // namespace

TEST_CASE("single cells: what is written comes back") {
  const TempFolder folder;
  const std::string path = folder / "cells.h5ad";
  write_h5ad(path, small());
  const SingleCells c = read_single_cells(path);
  CHECK(c.matrix == "X");
  CHECK(c.x.values == std::vector<float>{1, 4, 10, 2});
  CHECK(c.x.indices == std::vector<int32_t>{0, 2, 1, 3});
  CHECK(c.x.indptr == std::vector<int64_t>{0, 2, 2, 4});
  CHECK(c.obs.names == Words{"a", "b", "c"});
  REQUIRE(c.obs.columns.size() == 5);
  const auto& type = std::get<Categorical>(c.obs.columns[0].second);
  CHECK(type.codes == std::vector<int32_t>{1, -1, 0});
  CHECK(type.categories == Words{"Mono", "HSC"});
  CHECK(type.ordered);
  CHECK(std::isnan(std::get<std::vector<double>>(c.obs.columns[1].second)[2]));
  CHECK(std::get<std::vector<int64_t>>(c.obs.columns[2].second)[2] == 2);
  CHECK(std::get<Words>(c.obs.columns[3].second)[1] == "ü");
  CHECK(std::get<std::vector<bool>>(c.obs.columns[4].second) ==
        std::vector<bool>{true, false, true});
  CHECK(c.var.names == Words{"MPO", "ELANE", "MPO-1", "MPO-2"});
  CHECK(c.obsm.at("X_pca").values == std::vector<float>{1, 2, 3, 4, 5, 6});
  REQUIRE(c.stored.size() == 3);
  CHECK(c.stored[1].name == "layers/counts");
  CHECK(c.stored[1].kind == "csr_matrix");
  CHECK(c.notes == Words{"2 genes have the name of another"});
  CHECK(read_single_cells(path, "layers/counts").x.values == c.x.values);
  expect_fault<DataError>("h5ad.form", [&] { read_single_cells(path, "layers/none"); });
  expect_fault<FileError>("file.missing", [&] { read_single_cells(folder / "no.h5ad"); });
}

TEST_CASE("single cells: unsorted and repeated entries, zeros, columns outside, old attributes") {
  const TempFolder folder;
  const auto values = [](const SingleCells& c) {
    std::vector<float> out(12, 0.0f);
    for (size_t i = 0; i < 3; ++i)
      for (auto e = static_cast<size_t>(c.x.indptr[i]); e < static_cast<size_t>(c.x.indptr[i + 1]);
           ++e)
        out[i * 4 + static_cast<size_t>(c.x.indices[e])] = c.x.values[e];
    return out;
  };
  const std::vector<float> expected = {1, 0, 4, 0, 0, 0, 0, 0, 0, 10, 0, 2};
  const SingleCells plain = read_single_cells(ByHand{}.write(folder));
  CHECK(values(plain) == expected);
  CHECK(plain.notes == Words{"obs/other is left out: encoding \"\"", "1 cells had unsorted genes"});
  const auto& age = std::get<std::vector<double>>(plain.obs.columns[0].second);
  CHECK(age[0] == 7);
  CHECK(std::isnan(age[1]));
  const SingleCells columns = read_single_cells(ByHand{
      .kind = "csc",
      .attribute = "h5sparse_format",
      .data = {1, 10, 4, 2},
      .indices = {0, 2, 0, 2},
      .indptr = {0, 1, 2, 3, 4}}.write(folder));
  CHECK(values(columns) == expected);
  CHECK(columns.stored[0].kind == "csc_matrix");
  const SingleCells repeated = read_single_cells(ByHand{
      .data = {4, 0, 1, 10, 1, 1},
      .indices = {2, 1, 0, 1, 3, 3},
      .indptr = {0, 3, 3, 6}}.write(folder));
  CHECK(values(repeated) == expected);
  CHECK(repeated.x.values.size() == 4);
  CHECK(repeated.notes.back() == "1 values of a gene met again in a cell were summed");
}

TEST_CASE("single cells: a dense matrix of whole numbers, and a link to another file") {
  const TempFolder folder;
  const auto make = [&](bool link) {
    const Hdf5Image image;
    {
      const std::array<hsize_t, 2> shape{2, 3};
      const std::array<int32_t, 6> values{0, 5, 0, 7, 0, 9};
      if (link)
        H5Lcreate_external("other.h5ad", "/X", image.root(), "X", H5P_DEFAULT, H5P_DEFAULT);
      else
        write_array(image.root(), "X", shape, H5T_NATIVE_INT32, H5T_STD_I16LE, values.data());
      const H5Id obs = create_group(image.root(), "obs");
      write_strings(obs, "index", Words{"a", "b"});
      const H5Id var = create_group(image.root(), "var");
      write_strings(var, "index", Words{"x", "y", "z"});
    }
    write_file_atomically(folder / "dense.h5ad", image.bytes());
    return folder / "dense.h5ad";
  };
  const SingleCells c = read_single_cells(make(false));
  CHECK(c.x.values == std::vector<float>{5, 7, 9});
  CHECK(c.x.indptr == std::vector<int64_t>{0, 1, 3});
  expect_fault<DataError>("h5ad.form", [&] { read_single_cells(make(true)); });
}

TEST_CASE("single cells: arrays that do not fit together are refused with their place") {
  const TempFolder folder;
  const auto refused = [&](const ByHand& file, const std::string& text) {
    const std::string message =
        expect_fault<DataError>("h5ad.form", [&] { read_single_cells(file.write(folder)); });
    CAPTURE(message);
    CHECK(message.find(text) != std::string::npos);
  };
  refused({.indices = {2, 0, 1, 4}}, "X/indices: value 4 at position 3; expected 0 to 3");
  refused({.indices = {2, -1, 1, 3}}, "X/indices: value -1 at position 1");
  refused({.indptr = {0, 3, 2, 4}}, "X/indptr: a fall at position 2");
  refused({.indptr = {0, 2, 4}}, "X/indptr: sizes that do not fit");
  refused({.indptr = {0, 2, 2, 3}}, "X/indptr: sizes that do not fit");
  refused({.indices = {2, 0, 1}}, "X/indptr: sizes that do not fit");
  refused({.kind = "coo_matrix"}, "X: encoding \"coo_matrix\"");
  refused({.shape = {3, -4}}, "X: a wrong shape");
  refused({.shape = {4, 4}, .indptr = {0, 2, 2, 4, 4}}, "obs: 3 names; expected 4");
  refused({.shape = {3, 5}}, "var: 4 names; expected 5");
  refused({.codes = {0, 2, 1}}, "obs/type/codes: code 2; expected -1 to 1");
}

TEST_CASE(
    "lzf: literals, copies that run into themselves, streams that end early or grow too far") {
  const auto expanded = [](const std::vector<unsigned char>& bytes, size_t most = 100) {
    return lzf_expanded(bytes, most).value_or("nothing");
  };
  CHECK(expanded({}) == "");
  CHECK(expanded({2, 'a', 'b', 'c'}) == "abc");
  CHECK(expanded({0, 'a', 0x20, 0}) == "aaaa");                       // 3 from 1 back
  CHECK(expanded({1, 'a', 'b', 0x40, 1}) == "ababab");                // 4 from 2 back
  CHECK(expanded({0, 'a', 0xE0, 3, 0}) == std::string(1 + 12, 'a'));  // 7 + 3 + 2 from 1 back
  CHECK(expanded({0, 'a', 0xE0, 3, 0}, 12) == "nothing");
  CHECK(expanded({2, 'a', 'b'}) == "nothing");
  CHECK(expanded({0, 'a', 0x20}) == "nothing");
  CHECK(expanded({0, 'a', 0xE0}) == "nothing");
  CHECK(expanded({0, 'a', 0x20, 1}) == "nothing");  // before the beginning
  CHECK(expanded({2, 'a', 'b', 'c'}, 2) == "nothing");
}

TEST_CASE("single cells: real files of four generations") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const SingleCells old = read_single_cells(*data / "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad");
  CHECK(old.x.rows == 700);
  CHECK(old.x.columns == 765);
  CHECK(old.obs.names[0] == "AAAGCCTGGCTAAC-1");
  const auto& labels = std::get<Categorical>(old.obs.columns[0].second);
  CHECK(labels.categories.size() == 10);
  CHECK(std::get<std::vector<bool>>(old.var.columns.back().second).size() == 765);
  const SingleCells raw =
      read_single_cells(*data / "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad", "raw/X");
  CHECK(raw.x.values.size() == 174400);
  CHECK(raw.var.names.size() == 765);
  for (const char* version : {"v0.7.0", "v0.7.8"}) {  // lzf, and categories beside their codes
    const SingleCells c =
        read_single_cells(*data / "anndata_archives" / (std::string(version) + ".h5ad"));
    CHECK(c.x.rows == 30);
    CHECK(c.x.columns == 20);
    CHECK(c.obsm.at("array").columns == 50);
    CHECK(std::get<Categorical>(c.obs.columns[1].second).ordered);
    CHECK(std::get<std::vector<double>>(c.obs.columns[3].second).size() == 30);
  }
  CHECK(read_single_cells(*data / "anndata_archives/v0.7.0.h5ad", "raw/X").x.columns == 40);
  const SingleCells empty = read_single_cells(*data / "anndata_archives/v0.11.4.h5ad");
  CHECK(empty.matrix == "");
  CHECK(empty.obs.names.size() == 10);
  CHECK(empty.var.names.size() == 20);
}

TEST_CASE("single cells: malformed HDF5 is an error, never a crash") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(*data / "hdf5_malformed"))
    if (entry.is_regular_file()) CHECK_THROWS_AS(read_single_cells(entry.path()), DataError);
}
