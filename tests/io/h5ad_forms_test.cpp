// What h5ad files may hold besides what write_h5ad writes: types, filters, links, forms of columns.
#include <sys/stat.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>

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
using Put = std::function<void(hid_t)>;

template <class T>
void list(hid_t parent, const char* name, const std::vector<T>& values, hid_t memory, hid_t file) {
  const std::array<hsize_t, 1> size{values.size()};
  write_array(parent, name, size, memory, file, values.data());
}

void integers(hid_t parent, const char* name, const std::vector<int64_t>& values) {
  list(parent, name, values, H5T_NATIVE_INT64, H5T_STD_I64LE);
}

// Two cells, three genes, with `x` and more columns of obs.
std::string write(const TempFolder& folder, const Put& x, const Put& columns = {}) {
  const Hdf5Image image;
  {
    if (x) x(image.root());
    const H5Id obs = create_group(image.root(), "obs");
    write_attribute(obs, "_index", std::string("names"));
    write_strings(obs, "names", Words{"a", "b"});
    if (columns) columns(obs);
    const H5Id var = create_group(image.root(), "var");
    write_attribute(var, "_index", std::string("names"));
    write_strings(var, "names", Words{"x", "y", "z"});
  }
  const std::string path = folder / "cells.h5ad";
  write_file_atomically(path, image.bytes());
  return path;
}

H5Id sparse(hid_t root, const char* kind = "csr_matrix") {
  H5Id x = create_group(root, "X");
  write_attribute(x, "encoding-type", std::string(kind));
  const std::array<int64_t, 2> shape{2, 3};
  write_attribute(x, "shape", std::span<const int64_t>(shape));
  return x;
}

// A dense X of (1, 0, 2), (0, 3, 0) with these options.
void dense(hid_t root, hid_t options) {
  const hsize_t shape[2] = {2, 3};
  const float values[6] = {1, 0, 2, 0, 3, 0};
  const H5Id space(H5Screate_simple(2, shape, nullptr), H5Sclose, "space");
  const H5Id set(H5Dcreate2(root, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, options, H5P_DEFAULT),
                 H5Dclose, "array");
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
}

H5Id chunked() {
  H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
  const hsize_t chunk[2] = {2, 3};
  H5Pset_chunk(options, 2, chunk);
  return options;
}

std::string refusal(const std::string& path) {
  return expect_fault<DataError>("h5ad.form", [&] { read_single_cells(path); });
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

const Column& column(const SingleCells& c, const std::string& name) {
  for (const auto& [key, values] : c.obs.columns)
    if (key == name) return values;
  throw std::runtime_error("no column " + name);
}

}  // namespace

TEST_CASE("h5ad forms: types of values and positions, an empty matrix") {
  const TempFolder folder;
  const auto read = [&](auto values, hid_t memory, hid_t file, hid_t positions) {
    return read_single_cells(write(folder, [&](hid_t root) {
      const H5Id x = sparse(root);
      list(x, "data", values, memory, file);
      list(x, "indices", std::vector<int64_t>{0, 2, 1}, H5T_NATIVE_INT64, positions);
      list(x, "indptr", std::vector<int64_t>{0, 2, 3}, H5T_NATIVE_INT64, positions);
    }));
  };
  const std::vector<float> expected = {1, 2, 3};
  CHECK(read(std::vector<double>{1, 2, 3}, H5T_NATIVE_DOUBLE, H5T_IEEE_F64BE, H5T_STD_U32LE)
            .x.values == expected);
  CHECK(
      read(std::vector<int64_t>{1, 2, 3}, H5T_NATIVE_INT64, H5T_STD_U8LE, H5T_STD_I64BE).x.values ==
      expected);
  CHECK(read(std::vector<int64_t>{1, 2, 3}, H5T_NATIVE_INT64, H5T_STD_I16LE, H5T_STD_U16LE)
            .x.values == expected);
  const H5Id flag = bool_type();
  CHECK(read(std::vector<int8_t>{1, 0, 1}, flag, flag, H5T_STD_I32LE).x.values ==
        std::vector<float>{1, 1});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(
      read(std::vector<double>{1, nan, 3}, H5T_NATIVE_DOUBLE, H5T_IEEE_F32LE, H5T_STD_I32LE)
          .x.values[1]));
  for (const char* kind : {"csr_matrix", "csc_matrix"}) {
    const SingleCells none = read_single_cells(write(folder, [&](hid_t root) {
      const H5Id x = sparse(root, kind);
      list(x, "data", std::vector<float>(), H5T_NATIVE_FLOAT, H5T_IEEE_F32LE);
      integers(x, "indices", {});
      integers(x, "indptr", std::vector<int64_t>(kind[2] == 'r' ? 3 : 4, 0));
    }));
    CHECK(none.x.values.empty());
    CHECK(none.x.indptr == std::vector<int64_t>{0, 0, 0});
  }
  CHECK(has(refusal(write(folder,
                          [&](hid_t root) {
                            const H5Id x = sparse(root);
                            write_strings(x, "data", Words{"1", "2", "3"});
                            integers(x, "indices", {0, 2, 1});
                            integers(x, "indptr", {0, 2, 3});
                          })),
            "X/data: no numbers"));
  CHECK(
      has(refusal(write(
              folder,
              [&](hid_t root) {
                const H5Id x = sparse(root);
                integers(x, "data", {1, 2, 3});
                list(x, "indices", std::vector<double>{0, 2, 1}, H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE);
                integers(x, "indptr", {0, 2, 3});
              })),
          "X/indices: no whole numbers"));
}

TEST_CASE("h5ad forms: filters of chunks, one that is not there") {
  const TempFolder folder;
  const auto read = [&](const H5Id& options) {
    return read_single_cells(write(folder, [&](hid_t root) { dense(root, options); })).x.values;
  };
  const std::vector<float> expected = {1, 2, 3};
  const H5Id packed = chunked();
  H5Pset_shuffle(packed);
  H5Pset_deflate(packed, 9);
  H5Pset_fletcher32(packed);
  CHECK(read(packed) == expected);
  unsigned can = 0;
  H5Zget_filter_info(H5Z_FILTER_SZIP, &can);
  if (can & H5Z_FILTER_CONFIG_ENCODE_ENABLED) {
    const H5Id szip = chunked();
    H5Pset_szip(szip, H5_SZIP_NN_OPTION_MASK, 2);
    CHECK(read(szip) == expected);
  }
  // A filter that only this test knows, while it writes.
  const auto copy = [](unsigned, size_t, const unsigned*, size_t bytes, size_t*, void**) {
    return bytes;
  };
  constexpr H5Z_filter_t number = 307;
  const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, number, 1, 1, "a filter", nullptr, nullptr, copy};
  REQUIRE(H5Zregister(&filter) >= 0);
  const H5Id other = chunked();
  H5Pset_filter(other, number, H5Z_FLAG_MANDATORY, 0, nullptr);
  const std::string path = write(folder, [&](hid_t root) { dense(root, other); });
  H5Zunregister(number);
  const std::string message = refusal(path);
  CHECK(has(message, "X: compression filter 307 a filter; expected gzip or lzf"));
  CHECK(has(message, "save the file again with gzip"));
}

TEST_CASE("h5ad forms: data elsewhere is refused, and the other file is never opened") {
  const TempFolder folder;
  // Who opens this waits for ever.
  const std::string trap = folder / "trap";
  REQUIRE(mkfifo(trap.c_str(), 0600) == 0);
  const H5Id external(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
  H5Pset_external(external, trap.c_str(), 0, 24);
  const auto create = [](hid_t root, hid_t options) {
    const hsize_t shape[2] = {2, 3};
    const H5Id space(H5Screate_simple(2, shape, nullptr), H5Sclose, "space");
    const H5Id set(H5Dcreate2(root, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, options, H5P_DEFAULT),
                   H5Dclose, "array");
  };
  CHECK(has(refusal(write(folder, [&](hid_t root) { create(root, external); })),
            "X: data kept in another file"));
  const H5Id virtual_set(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "options");
  {
    const hsize_t shape[2] = {2, 3};
    const H5Id space(H5Screate_simple(2, shape, nullptr), H5Sclose, "space");
    REQUIRE(H5Pset_virtual(virtual_set, space, trap.c_str(), "/X", space) >= 0);
  }
  CHECK(has(refusal(write(folder, [&](hid_t root) { create(root, virtual_set); })),
            "X: data kept in another file"));
  CHECK(has(refusal(write(folder,
                          [&](hid_t root) {
                            H5Lcreate_external(trap.c_str(), "/X", root, "X", H5P_DEFAULT,
                                               H5P_DEFAULT);
                          })),
            "X: a link to another place or file; expected the data itself"));
  // A link to itself, and a group that holds itself.
  CHECK(has(
      refusal(write(folder,
                    [](hid_t root) { H5Lcreate_soft("/X", root, "X", H5P_DEFAULT, H5P_DEFAULT); })),
      "X: a link to another place"));
  const SingleCells c = read_single_cells(write(folder, nullptr, [](hid_t obs) {
    H5Lcreate_hard(obs, ".", obs, "again", H5P_DEFAULT, H5P_DEFAULT);
  }));
  CHECK(has(c.notes.at(0), "obs/again is left out"));
  CHECK(has(refusal(write(folder, nullptr,
                          [&](hid_t obs) {
                            H5Lcreate_external(trap.c_str(), "/x", obs, "type", H5P_DEFAULT,
                                               H5P_DEFAULT);
                          })),
            "obs/type: a link"));
}

TEST_CASE("h5ad forms: categories, missing ones, codes that are none") {
  const TempFolder folder;
  const auto with = [&](const std::vector<int64_t>& codes, const Words& categories) {
    return write(folder, nullptr, [&](hid_t obs) {
      const H5Id type = create_group(obs, "type");
      list(type, "codes", codes, H5T_NATIVE_INT64, H5T_STD_I8LE);
      write_strings(type, "categories", categories);
    });
  };
  const SingleCells c = read_single_cells(with({-1, 1}, {"Z", "A"}));
  const auto& type = std::get<Categorical>(column(c, "type"));
  CHECK(type.codes == std::vector<int32_t>{-1, 1});
  CHECK(type.categories == Words{"Z", "A"});  // the file's order
  CHECK(c.matrix.empty());
  CHECK(std::get<Categorical>(column(read_single_cells(with({-1, -1}, {})), "type"))
            .categories.empty());
  CHECK(has(refusal(with({0, 2}, {"Z", "A"})), "obs/type/codes: code 2; expected -1 to 1"));
  CHECK(has(refusal(with({-2, 0}, {"Z", "A"})), "obs/type/codes: code -2"));
  CHECK(has(refusal(with({-1, 0}, {})), "obs/type/codes: code 0; expected -1 to -1"));
  CHECK(has(refusal(with({0}, {"Z"})), "obs/type: 1 values; expected 2"));
}

TEST_CASE("h5ad forms: encodings that are not known have their names and versions") {
  const TempFolder folder;
  const auto coded = [](hid_t group) {
    write_attribute(group, "encoding-type", std::string("awkward-array"));
    write_attribute(group, "encoding-version", std::string("0.1.0"));
  };
  CHECK(
      has(refusal(write(folder,
                        [&](hid_t root) {
                          const H5Id x = create_group(root, "X");
                          coded(x);
                        })),
          "X: encoding \"awkward-array\" version 0.1.0; expected array, csr_matrix or csc_matrix"));
  const SingleCells c = read_single_cells(write(folder, nullptr, [&](hid_t obs) {
    const H5Id lists = create_group(obs, "lists");
    coded(lists);
    const std::array<hsize_t, 2> two{2, 2};
    const std::array<float, 4> values{1, 2, 3, 4};
    write_array(obs, "pairs", two, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, values.data());
    const H5Id maybe = create_group(obs, "maybe");
    const std::array<hsize_t, 1> one{2};
    const std::array<int8_t, 2> flags{1, 0}, mask{0, 1};
    write_array(maybe, "values", one, bool_type(), bool_type(), flags.data());
    write_array(maybe, "mask", one, bool_type(), bool_type(), mask.data());
  }));
  CHECK(c.notes[0] == "obs/lists is left out: encoding \"awkward-array\" version 0.1.0");
  CHECK(c.notes[1] == "obs/pairs is left out: no list");
  const auto& maybe = std::get<Categorical>(column(c, "maybe"));
  CHECK(maybe.categories == Words{"False", "True"});
  CHECK(maybe.codes == std::vector<int32_t>{1, -1});
}

TEST_CASE("h5ad forms: blocks of cells are the whole matrix") {
  const TempFolder folder;
  AnnData d;
  CsrMatrix x;
  x.rows = 3000;
  x.columns = 1500;
  x.indptr.push_back(0);
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int32_t g = 0; g < 1500; ++g) {
      x.indices.push_back(g);
      x.values.push_back(static_cast<float>(1 + (g + i) % 5));
    }
    x.indptr.push_back(static_cast<int64_t>(x.values.size()));
    d.obs.names.push_back(std::to_string(i));
  }
  for (int64_t g = 0; g < x.columns; ++g) d.var.names.push_back("g" + std::to_string(g));
  d.X = x;
  write_h5ad(folder / "long.h5ad", d);
  std::vector<int64_t> firsts;
  const SingleCells head = read_single_cells(
      folder / "long.h5ad", "", [&](const SingleCells& h, int64_t first, const CsrMatrix& rows) {
        CHECK(h.x.columns == x.columns);
        firsts.push_back(first);
        const auto from = static_cast<size_t>(x.indptr[static_cast<size_t>(first)]);
        CHECK(std::equal(rows.values.begin(), rows.values.end(), x.values.begin() + from));
        CHECK(std::equal(rows.indices.begin(), rows.indices.end(), x.indices.begin() + from));
      });
  CHECK(head.x.values.empty());
  CHECK(head.x.rows == 3000);
  CHECK(firsts == std::vector<int64_t>{0, 2796});
  struct Enough {};
  CHECK_THROWS_AS(
      read_single_cells(folder / "long.h5ad", "",
                        [](const SingleCells&, int64_t, const CsrMatrix&) { throw Enough(); }),
      Enough);
}
