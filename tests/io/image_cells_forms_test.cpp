// Files of cells that the library's own writer does not write.
#include <hdf5.h>

#include <filesystem>

#include <doctest/doctest.h>

#include "cytograd/io/cell_feature_file.h"
#include "cytograd/multimodal/image_cells.h"
#include "io/expect_fault.h"
#include "io/hdf5_writer.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;
using io::H5Id;

namespace {

std::string write(const TempFolder& folder) {
  const std::vector<float> h(14 * 14 * 256, 0.5f), mask(128 * 128, 1), crop(128 * 128 * 3, 0.5f);
  CellFeatureLayout layout;
  layout.count = 1;
  const std::string path = folder / "cells.h5";
  CellFeatureWriter writer(path, layout);
  CellFeatureRow row;
  row.h = &h;
  row.mask = &mask;
  row.crop = &crop;
  row.name = "a\x1b[31m";
  writer.add(row);
  writer.commit();
  return path;
}

// Takes datasets away and puts others in their place.
template <class Change>
std::string changed(const TempFolder& folder, const char* name, const Change& change) {
  const std::string path = write(folder);
  const H5Id file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose, "file");
  if (H5Ldelete(file, name, H5P_DEFAULT) < 0) throw std::runtime_error("no such dataset");
  change(file);
  return path;
}

std::string refusal(const std::string& path) {
  return expect_fault<DataError>("cells.form", [&] { ImageCells cells(path); });
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

const auto nothing = [](hid_t) {};

}  // namespace

TEST_CASE("image cells: missing and foreign datasets") {
  const TempFolder folder;
  for (const char* name : {"h", "mask", "crop", "name", "undetected", "empty_mask"})
    CHECK(has(refusal(changed(folder, name, nothing)), std::string("/") + name));
  // Files from before classes were written.
  const ImageCells old(changed(folder, "cell_type", nothing));
  CHECK(old.classes().empty());
  CHECK(old.labels() == std::vector<int64_t>{-1});
  CHECK(old.names() == std::vector<std::string>{"a\\x1b[31m"});
  const std::vector<int64_t> two = {2}, both = {0, 1};
  const auto flags = [](hid_t file, const std::vector<int64_t>& values) {
    const hsize_t size[1] = {values.size()};
    io::write_array(file, "undetected", size, H5T_NATIVE_INT64, H5T_STD_I64LE, values.data());
  };
  CHECK(has(refusal(changed(folder, "undetected", [&](hid_t f) { flags(f, two); })),
            "/undetected: the value 2; expected 0 or 1"));
  CHECK(has(refusal(changed(folder, "undetected", [&](hid_t f) { flags(f, both); })),
            "/undetected: [2]; expected [1]"));
  CHECK(has(refusal(changed(folder, "name",
                            [&](hid_t f) {
                              const hsize_t size[1] = {1};
                              io::write_array(f, "name", size, H5T_NATIVE_INT64, H5T_STD_I64LE,
                                              two.data());
                            })),
            "/name: no strings"));
  CHECK(has(refusal(changed(folder, "h", [&](hid_t f) { io::create_group(f, "h"); })), "/h"));
}

TEST_CASE("image cells: links, storage elsewhere, sizes beyond all measure") {
  const TempFolder folder, other;
  const std::string away = write(other);
  CHECK(has(refusal(changed(folder, "h",
                            [&](hid_t f) {
                              H5Lcreate_external(away.c_str(), "/h", f, "h", H5P_DEFAULT,
                                                 H5P_DEFAULT);
                            })),
            "/h: a link to another place or file"));
  const auto put = [](hid_t file, hid_t type, hsize_t cells, hid_t options) {
    const hsize_t shape[4] = {cells, 14, 14, 256};
    const H5Id space(H5Screate_simple(4, shape, nullptr), H5Sclose, "space");
    const H5Id set(H5Dcreate2(file, "h", type, space, H5P_DEFAULT, options, H5P_DEFAULT), H5Dclose,
                   "array");
  };
  CHECK(has(refusal(changed(folder, "h",
                            [&](hid_t f) {
                              const H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose,
                                                 "options");
                              H5Pset_external(options, "/etc/hostname", 0, H5F_UNLIMITED);
                              put(f, H5T_IEEE_F32LE, 1, options);
                            })),
            "/h: data kept in another file"));
  CHECK(has(refusal(changed(folder, "h", [&](hid_t f) { put(f, H5T_STD_I32LE, 1, H5P_DEFAULT); })),
            "/h: no real numbers"));
  CHECK(has(refusal(changed(folder, "h",
                            [&](hid_t f) {
                              const H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose,
                                                 "options");
                              const hsize_t chunk[4] = {1, 14, 14, 256};
                              H5Pset_chunk(options, 4, chunk);
                              put(f, H5T_IEEE_F32LE, hsize_t{1} << 40, options);
                            })),
            "/h: 1099511627776 cells"));
}
