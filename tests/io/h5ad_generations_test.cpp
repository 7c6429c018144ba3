// Files as older and newer anndata write them, made here: compound tables, categories beside their
// codes, raw values of more genes, lzf, null.
#include <array>
#include <cstring>
#include <functional>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/h5ad_table.h"
#include "cytograd/io/single_cells.h"
#include "io/expect_fault.h"
#include "io/hdf5_writer.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::io;

namespace {

using Words = std::vector<std::string>;
using Put = std::function<void(hid_t)>;

std::string save(const TempFolder& folder, const Put& put) {
  const Hdf5Image image;
  put(image.root());
  const std::string path = folder / "cells.h5ad";
  write_file_atomically(path, image.bytes());
  return path;
}

template <class T>
void list(hid_t parent, const char* name, const std::vector<T>& values, hid_t memory, hid_t file) {
  const std::array<hsize_t, 1> size{values.size()};
  write_array(parent, name, size, memory, file, values.data());
}

void integers(hid_t parent, const char* name, const std::vector<int64_t>& values) {
  list(parent, name, values, H5T_NATIVE_INT64, H5T_STD_I32LE);
}

// Two cells, three genes: (1, 0, 2), (0, 3, 0).
void dense_x(hid_t root) {
  const std::array<hsize_t, 2> shape{2, 3};
  const std::array<float, 6> values{1, 0, 2, 0, 3, 0};
  write_array(root, "X", shape, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, values.data());
}

// Two cells, five genes: (0, 7, 0, 0, 8), (9, 0, 0, 6, 0).
void raw_x(hid_t parent, const char* name, const char* kind, const char* size,
           const std::string& encoding, std::vector<int64_t> indices = {1, 4, 0, 3}) {
  const H5Id x = create_group(parent, name);
  write_attribute(x, kind, encoding);
  const std::array<int64_t, 2> shape{2, 5};
  write_attribute(x, size, std::span<const int64_t>(shape));
  list(x, "data", std::vector<float>{7, 8, 9, 6}, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE);
  integers(x, "indices", indices);
  integers(x, "indptr", {0, 2, 4});
}

const Words raw_genes = {"r0", "y", "z", "x", "r4"};

void names(hid_t parent, const char* table, const Words& rows) {
  const H5Id group = create_group(parent, table);
  write_attribute(group, "_index", std::string("names"));
  write_strings(group, "names", rows);
}

H5Id compound(size_t size) { return {H5Tcreate(H5T_COMPOUND, size), H5Tclose, "type"}; }

H5Id text_type(size_t size) {
  H5Id type(H5Tcopy(H5T_C_S1), H5Tclose, "type");
  H5Tset_size(type, size);
  return type;
}

template <class Row>
void table(hid_t parent, const char* name, const H5Id& type, const std::vector<Row>& rows) {
  list(parent, name, rows, type, type);
}

struct OldCell {
  char index[8];  // fixed, without a zero where it is full
  float counts;
  int8_t louvain;
};
struct OldGene {
  const char* index;
  int64_t cells;
  int8_t variable;
};

H5Id old_cell_type() {
  H5Id type = compound(sizeof(OldCell));
  H5Tinsert(type, "index", offsetof(OldCell, index), text_type(8));
  H5Tinsert(type, "counts", offsetof(OldCell, counts), H5T_NATIVE_FLOAT);
  H5Tinsert(type, "louvain", offsetof(OldCell, louvain), H5T_NATIVE_INT8);
  return type;
}

H5Id old_gene_type() {
  H5Id type = compound(sizeof(OldGene));
  H5Tinsert(type, "index", offsetof(OldGene, index), text_type(H5T_VARIABLE));
  H5Tinsert(type, "cells", offsetof(OldGene, cells), H5T_NATIVE_INT64);
  H5Tinsert(type, "variable", offsetof(OldGene, variable), bool_type());
  return type;
}

std::vector<OldGene> old_genes(const Words& rows) {
  std::vector<OldGene> out;
  for (const std::string& name : rows)
    out.push_back({name.c_str(), static_cast<int64_t>(out.size()), out.size() == 1});
  return out;
}

// As anndata of 2018.
Put old_file(int8_t last_code) {
  return [=](hid_t root) {
    const std::vector<OldCell> cells = {{{'c', 'e', 'l', 'l', '-', '0', '0', '1'}, 1.5f, 1},
                                        {"b", 2.5f, last_code}};
    const Words genes = {"x", "y", "z"};
    dense_x(root);
    table(root, "obs", old_cell_type(), cells);
    table(root, "var", old_gene_type(), old_genes(genes));
    raw_x(root, "raw.X", "h5sparse_format", "h5sparse_shape", "csr");
    table(root, "raw.var", old_gene_type(), old_genes(raw_genes));
    const H5Id uns = create_group(root, "uns");
    write_strings(uns, "louvain_categories", Words{"Z", "A"});
    const H5Id obsm = compound(2 * sizeof(float));
    const std::array<hsize_t, 1> two{2};
    const H5Id pair(H5Tarray_create2(H5T_NATIVE_FLOAT, 1, two.data()), H5Tclose, "type");
    H5Tinsert(obsm, "X_pca", 0, pair);
    table(root, "obsm", obsm, std::vector<std::array<float, 2>>{{1, 2}, {3, 4}});
  };
}

// obs of anndata 0.7: codes that point to their categories.
void old_categories(hid_t root, const std::vector<int64_t>& codes, bool order) {
  const H5Id obs = create_group(root, "obs");
  write_attribute(obs, "_index", std::string("names"));
  if (order) write_attribute(obs, "column-order", std::span<const std::string>(Words{"n", "type"}));
  write_strings(obs, "names", Words{"a", "b"});
  integers(obs, "n", {4, 5});
  list(obs, "type", codes, H5T_NATIVE_INT64, H5T_STD_I8LE);
  const H5Id beside = create_group(obs, "__categories");
  const H5Id categories = write_strings(beside, "type", Words{"Z", "A"});
  write_attribute(categories, "ordered", true);
  hobj_ref_t to;
  REQUIRE(H5Rcreate(&to, root, "obs/__categories/type", H5R_OBJECT, -1) >= 0);
  const H5Id set(H5Dopen2(obs, "type", H5P_DEFAULT), H5Dclose, "array");
  const H5Id one(H5Screate(H5S_SCALAR), H5Sclose, "space");
  const H5Id attribute(
      H5Acreate2(set, "categories", H5T_STD_REF_OBJ, one, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
      "attribute");
  REQUIRE(H5Awrite(attribute, H5T_STD_REF_OBJ, &to) >= 0);
}

// LZF by the format alone: copies of what stands 1, 4 or 8 bytes before, else the bytes themselves.
std::string lzf_packed(const std::string& bytes) {
  std::string out, plain;
  const auto flush = [&] {
    for (size_t at = 0; at < plain.size(); at += 32) {
      const std::string part = plain.substr(at, 32);
      out += static_cast<char>(part.size() - 1);
      out += part;
    }
    plain.clear();
  };
  for (size_t at = 0; at < bytes.size();) {
    size_t length = 0, distance = 0;
    for (const size_t d : {1, 4, 8}) {
      size_t n = 0;
      while (d <= at && n < 264 && at + n < bytes.size() && bytes[at + n] == bytes[at + n - d]) ++n;
      if (n > length) length = n, distance = d;
    }
    if (length < 3) {
      plain += bytes[at++];
      continue;
    }
    flush();
    out += static_cast<char>(std::min<size_t>(length - 2, 7) << 5);
    if (length - 2 >= 7) out += static_cast<char>(length - 2 - 7);
    out += static_cast<char>(distance - 1);
    at += length;
  }
  flush();
  return out;
}

size_t pack_filter(unsigned, size_t, const unsigned*, size_t bytes, size_t* size, void** buffer) {
  const std::string packed = lzf_packed({static_cast<const char*>(*buffer), bytes});
  if (packed.size() > *size) return 0;  // filter is optional
  std::memcpy(*buffer, packed.data(), packed.size());
  return packed.size();
}

void null_array(hid_t parent, const char* name) {
  const H5Id none(H5Screate(H5S_NULL), H5Sclose, "space");
  const H5Id set(
      H5Dcreate2(parent, name, H5T_IEEE_F32LE, none, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
      H5Dclose, "array");
  write_attribute(set, "encoding-type", std::string("null"));
  write_attribute(set, "encoding-version", std::string("0.1.0"));
}

std::string refusal(const std::string& path, const std::string& matrix = "") {
  return expect_fault<DataError>("h5ad.form", [&] { read_single_cells(path, matrix); });
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("h5ad generations: tables of compound values, raw.X and raw.var (2018)") {
  const TempFolder folder;
  const std::string path = save(folder, old_file(-1));
  const SingleCells c = read_single_cells(path);
  CHECK(c.x.values == std::vector<float>{1, 2, 3});
  CHECK(c.obs.names == Words{"cell-001", "b"});
  REQUIRE(c.obs.columns.size() == 2);
  CHECK(c.obs.columns[0].first == "counts");
  CHECK(std::get<std::vector<double>>(c.obs.columns[0].second) == std::vector<double>{1.5, 2.5});
  CHECK(c.obs.columns[1].first == "louvain");
  const auto& louvain = std::get<Categorical>(c.obs.columns[1].second);
  CHECK(louvain.codes == std::vector<int32_t>{1, -1});
  CHECK(louvain.categories == Words{"Z", "A"});
  CHECK(c.var.names == Words{"x", "y", "z"});
  CHECK(std::get<std::vector<int64_t>>(c.var.columns.at(0).second) ==
        std::vector<int64_t>{0, 1, 2});
  CHECK(std::get<std::vector<bool>>(c.var.columns.at(1).second) ==
        std::vector<bool>{false, true, false});
  CHECK(c.obsm.empty());
  CHECK(c.notes == Words{"obsm is left out: it is of anndata before 0.7"});
  REQUIRE(c.stored.size() == 2);
  CHECK(c.stored[1].name == "raw/X");
  CHECK(c.stored[1].kind == "csr_matrix");
  CHECK(c.stored[1].columns == 5);
  const SingleCells raw = read_single_cells(path, "raw/X");
  CHECK(raw.x.values == std::vector<float>{7, 8, 9, 6});
  CHECK(raw.x.indices == std::vector<int32_t>{1, 4, 0, 3});
  CHECK(raw.var.names == raw_genes);
  CHECK(has(refusal(save(folder, old_file(2))),
            "obs: code 2; expected one of uns/louvain_categories"));
  // The reader of one matrix does not know them.
  CHECK(has(expect_fault<DataError>("h5ad.form", [&] { read_h5ad_table(path, "X", ""); }),
            "obs: a table of anndata before 0.7; expected a group"));
}

TEST_CASE("h5ad generations: categories beside their codes (0.7)") {
  const TempFolder folder;
  for (const bool order : {false, true}) {
    CAPTURE(order);
    const std::string path = save(folder, [&](hid_t root) {
      dense_x(root);
      old_categories(root, {-1, 0}, order);
      names(root, "var", {"x", "y", "z"});
    });
    const SingleCells c = read_single_cells(path);
    CHECK(c.notes.empty());
    REQUIRE(c.obs.columns.size() == 2);
    CHECK(c.obs.columns[1].first == "type");
    const auto& type = std::get<Categorical>(c.obs.columns[1].second);
    CHECK(type.codes == std::vector<int32_t>{-1, 0});
    CHECK(type.categories == Words{"Z", "A"});
    CHECK(type.ordered);
    const CellTable one = read_h5ad_table(path, "X", "type");
    REQUIRE(one.labels);
    CHECK(one.labels->codes == std::vector<int32_t>{-1, 0});
    CHECK(one.labels->categories == Words{"Z", "A"});
  }
  CHECK(has(refusal(save(folder,
                         [&](hid_t root) {
                           dense_x(root);
                           old_categories(root, {0, 2}, true);
                           names(root, "var", {"x", "y", "z"});
                         })),
            "obs/type: code 2; expected -1 to 1"));
}

TEST_CASE("h5ad generations: raw has more genes than X, and its own") {
  const TempFolder folder;
  const auto file = [&](const std::vector<int64_t>& indices, const Words& genes) {
    return save(folder, [&](hid_t root) {
      dense_x(root);
      names(root, "obs", {"a", "b"});
      names(root, "var", {"x", "y", "z"});
      const H5Id raw = create_group(root, "raw");
      raw_x(raw, "X", "encoding-type", "shape", "csr_matrix", indices);
      if (!genes.empty()) names(raw, "var", genes);
    });
  };
  const std::string path = file({1, 4, 0, 3}, raw_genes);
  const SingleCells x = read_single_cells(path), raw = read_single_cells(path, "raw/X");
  CHECK(x.var.names == Words{"x", "y", "z"});
  CHECK(x.x.columns == 3);
  CHECK(x.x.values == std::vector<float>{1, 2, 3});
  CHECK(raw.var.names == raw_genes);
  CHECK(raw.x.columns == 5);
  // Gene x is at 0 in X and at 3 in raw.
  CHECK(raw.x.indices == std::vector<int32_t>{1, 4, 0, 3});
  CHECK(raw.x.values == std::vector<float>{7, 8, 9, 6});
  CHECK(has(refusal(file({1, 5, 0, 3}, raw_genes), "raw/X"),
            "raw/X/indices: value 5 at position 1; expected 0 to 4"));
  CHECK(has(refusal(file({1, 4, 0, 3}, {"x", "y", "z"}), "raw/X"), "raw/var: 3 names; expected 5"));
  CHECK(has(refusal(file({1, 4, 0, 3}, {}), "raw/X"), "raw/var: nothing of this name"));
}

TEST_CASE("h5ad generations: data compressed with lzf") {
  const TempFolder folder;
  constexpr H5Z_filter_t lzf = 32000;
  constexpr int cells = 40, genes = 30;
  std::vector<float> values;
  for (int i = 0; i < cells * genes; ++i)
    values.push_back(i % 3 == 0 ? static_cast<float>(i % 7) + .1f : static_cast<float>(i / 400));
  const auto file = [&](const H5Id& options) {
    return save(folder, [&](hid_t root) {
      const hsize_t shape[2] = {cells, genes};
      const H5Id space(H5Screate_simple(2, shape, nullptr), H5Sclose, "space");
      const H5Id set(
          H5Dcreate2(root, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, options, H5P_DEFAULT), H5Dclose,
          "array");
      REQUIRE(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
      CHECK(H5Dget_storage_size(set) < values.size() * sizeof(float));
      names(root, "obs", Words(cells, "c"));
      names(root, "var", Words(genes, "g"));
    });
  };
  const auto options = [&](bool shuffle, unsigned expanded) {
    H5Id out(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
    const hsize_t chunk[2] = {16, genes};  // the last chunk is partly outside
    H5Pset_chunk(out, 2, chunk);
    if (shuffle) H5Pset_shuffle(out);
    const unsigned about[3] = {4, 261, expanded};  // as h5py says
    H5Pset_filter(out, lzf, H5Z_FLAG_OPTIONAL, 3, about);
    return out;
  };
  const unsigned whole = 16 * genes * sizeof(float);
  // The library only reads lzf. The writer is this test's, and gone before the child reads.
  const H5Z_class2_t writer = {H5Z_CLASS_T_VERS, lzf, 1, 0, "lzf", nullptr, nullptr, pack_filter};
  for (const bool shuffle : {false, true}) {
    CAPTURE(shuffle);
    REQUIRE(H5Zregister(&writer) >= 0);
    const std::string path = file(options(shuffle, whole));
    H5Zunregister(lzf);
    std::vector<float> got;
    const SingleCells c = read_single_cells(path);
    for (size_t i = 0; i < cells; ++i) {
      std::vector<float> row(genes, 0.0f);
      for (auto e = c.x.indptr[i]; e < c.x.indptr[i + 1]; ++e)
        row[static_cast<size_t>(c.x.indices[static_cast<size_t>(e)])] =
            c.x.values[static_cast<size_t>(e)];
      got.insert(got.end(), row.begin(), row.end());
    }
    CHECK(got == values);
  }
  // A chunk that unpacks to more than it says.
  REQUIRE(H5Zregister(&writer) >= 0);
  const std::string path = file(options(false, whole - 4));
  H5Zunregister(lzf);
  CHECK(has(refusal(path), "X: data that cannot be read"));
}

TEST_CASE("h5ad generations: what is null") {
  const TempFolder folder;
  const std::string path = save(folder, [](hid_t root) {
    dense_x(root);
    const H5Id obs = create_group(root, "obs");
    write_attribute(obs, "_index", std::string("names"));
    write_strings(obs, "names", Words{"a", "b"});
    null_array(obs, "nothing");
    names(root, "var", {"x", "y", "z"});
    for (const char* folder_name : {"obsm", "layers", "uns"}) {
      const H5Id group = create_group(root, folder_name);
      null_array(group, "nothing");
    }
    null_array(root, "raw");
  });
  const SingleCells c = read_single_cells(path);
  CHECK(c.x.values == std::vector<float>{1, 2, 3});
  CHECK(c.obs.columns.empty());
  CHECK(c.obsm.empty());
  REQUIRE(c.notes.size() == 2);
  CHECK(has(c.notes[0], "obs/nothing is left out"));
  CHECK(has(c.notes[1], "obsm/nothing is left out"));
  CHECK(has(refusal(path, "layers/nothing"), "layers/nothing: "));
  CHECK(has(refusal(path, "raw/X"), "raw/var: nothing of this name"));
}
