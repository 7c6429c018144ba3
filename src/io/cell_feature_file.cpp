#include "cytograd/io/cell_feature_file.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>

#include "cytograd/core/error.h"
#include "io/hdf5_writer.h"

namespace cytograd {
namespace {

using namespace io;

const char* const op = "cell features";

// On the disk most failures are those of the disk.
[[noreturn]] void fail(const std::string& path, const char* what) {
  throw FileError(Fault{"file.io", path, "", std::string("cannot write ") + what,
                        "a folder with room for the file", "choose another --output"});
}

hid_t good(hid_t id, const std::string& path, const char* what) {
  if (id < 0) fail(path, what);
  return id;
}

// IEEE binary16, which this HDF5 has no name for.
H5Id half_type() {
  H5Id type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose, "half type");
  if (H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 ||
      H5Tset_ebias(type, 15) < 0)
    throw InternalError("hdf5: half type failed");
  return type;
}

H5Id create_file(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // our exceptions say what failed
  return {good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path, "the file"),
          H5Fclose, "file"};
}

// A table with one row per cell, each row a chunk of its own.
H5Id create_table(hid_t file, const std::string& path, const char* name,
                  const std::vector<hsize_t>& shape, hid_t type, bool compress) {
  const H5Id space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                   H5Sclose, "data space");
  const H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "dataset options");
  std::vector<hsize_t> chunk = shape;
  chunk[0] = 1;
  if (H5Pset_obj_track_times(options, false) < 0 ||
      H5Pset_chunk(options, static_cast<int>(chunk.size()), chunk.data()) < 0)
    throw InternalError("hdf5: dataset options failed");
  if (compress && (H5Pset_shuffle(options) < 0 || H5Pset_deflate(options, 4) < 0))
    throw InternalError("hdf5: dataset options failed");
  return {good(H5Dcreate2(file, name, type, space, H5P_DEFAULT, options, H5P_DEFAULT), path, name),
          H5Dclose, "dataset"};
}

void write_row(hid_t table, const std::string& path, int64_t row, const std::vector<hsize_t>& shape,
               const float* values) {
  std::vector<hsize_t> start(shape.size(), 0), count = shape;
  start[0] = static_cast<hsize_t>(row);
  count[0] = 1;
  const H5Id space(H5Dget_space(table), H5Sclose, "data space");
  const H5Id memory(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr),
                    H5Sclose, "data space");
  if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) < 0)
    throw InternalError("hdf5: selection failed");
  if (H5Dwrite(table, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values) < 0)
    fail(path, "a row");
}

hsize_t whole(int64_t n) {
  check<ValueError>(n >= 1, op, "expects sizes of at least 1, got ", n);
  return static_cast<hsize_t>(n);
}

std::string temporary_of(const std::string& path) {
  const std::filesystem::path p(path);
  return (p.parent_path() / ("." + p.filename().string() + ".tmp-" + std::to_string(getpid())))
      .string();
}

}  // namespace

struct CellFeatureWriter::State {
  State(std::string to, const CellFeatureLayout& given)
      : path(std::move(to)),
        temporary(temporary_of(path)),
        layout(given),
        h_shape{whole(given.count), whole(given.cells), whole(given.cells), whole(given.channels)},
        mask_shape{whole(given.count), whole(given.target), whole(given.target)},
        crop_shape{whole(given.count), whole(given.target), whole(given.target), 3},
        file(create_file(temporary)) {
    if (given.half) {
      const H5Id type = half_type();
      h.emplace(create_table(*file, path, "h", h_shape, type, false));
    } else {
      h.emplace(create_table(*file, path, "h", h_shape, H5T_IEEE_F32LE, false));
    }
    mask.emplace(create_table(*file, path, "mask", mask_shape, H5T_IEEE_F32LE, true));
    crop.emplace(create_table(*file, path, "crop", crop_shape, H5T_IEEE_F32LE, true));
    for (const auto& [name, text] : given.attributes) write_attribute(*file, name.c_str(), text);
  }

  std::string path, temporary;
  CellFeatureLayout layout;
  std::vector<hsize_t> h_shape, mask_shape, crop_shape;
  std::optional<H5Id> file, h, mask, crop;
  int64_t rows = 0;
  bool committed = false;
  // Small columns are written in the end.
  std::vector<float> ranges, boxes, scores;
  std::vector<int64_t> labels, levels, others, flat, empty, undetected;
  std::vector<std::string> names, types, groups;

  void write_columns() {
    const hsize_t n = h_shape[0];
    const auto floats = [&](const char* name, const std::vector<float>& values, hsize_t columns) {
      const std::array<hsize_t, 2> both{n, columns};
      const std::span<const hsize_t> shape(both.data(), columns == 1 ? 1 : 2);
      write_array(*file, name, shape, H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, values.data());
    };
    const auto numbers = [&](const char* name, const std::vector<int64_t>& values) {
      const std::array<hsize_t, 1> shape{n};
      write_array(*file, name, shape, H5T_NATIVE_INT64, H5T_STD_I64LE, values.data());
    };
    floats("h_range", ranges, 2);
    floats("box", boxes, 4);
    floats("score", scores, 1);
    numbers("label", labels);
    numbers("level", levels);
    numbers("others", others);
    numbers("flat_features", flat);
    numbers("empty_mask", empty);
    numbers("undetected", undetected);
    write_strings(*file, "name", names);
    write_strings(*file, "cell_type", types);
    write_strings(*file, "group", groups);
  }

  void close() {
    crop.reset();
    mask.reset();
    h.reset();
    file.reset();
  }
};

CellFeatureWriter::CellFeatureWriter(std::string path, const CellFeatureLayout& layout)
    : state_(std::make_unique<State>(std::move(path), layout)) {}

CellFeatureWriter::~CellFeatureWriter() {
  if (state_->committed) return;
  state_->close();
  std::remove(state_->temporary.c_str());
}

void CellFeatureWriter::add(const CellFeatureRow& row) {
  State& s = *state_;
  const auto size_of = [](const std::vector<hsize_t>& shape) {
    size_t out = 1;
    for (size_t d = 1; d < shape.size(); ++d) out *= static_cast<size_t>(shape[d]);
    return out;
  };
  check<ValueError>(s.rows < s.layout.count, op, "expects ", s.layout.count, " rows, got more");
  check<ValueError>(row.h && row.mask && row.crop && row.h->size() == size_of(s.h_shape) &&
                        row.mask->size() == size_of(s.mask_shape) &&
                        row.crop->size() == size_of(s.crop_shape),
                    op, "expects arrays of the announced sizes in row ", s.rows);
  write_row(*s.h, s.path, s.rows, s.h_shape, row.h->data());
  write_row(*s.mask, s.path, s.rows, s.mask_shape, row.mask->data());
  write_row(*s.crop, s.path, s.rows, s.crop_shape, row.crop->data());
  s.ranges.insert(s.ranges.end(), {row.h_min, row.h_max});
  s.boxes.insert(s.boxes.end(), row.box, row.box + 4);
  s.scores.push_back(row.score);
  s.labels.push_back(row.label);
  s.levels.push_back(row.level);
  s.others.push_back(row.others);
  s.flat.push_back(row.flat_features ? 1 : 0);
  s.empty.push_back(row.empty_mask ? 1 : 0);
  s.undetected.push_back(row.undetected ? 1 : 0);
  s.names.push_back(escape_control(row.name));
  s.types.push_back(escape_control(row.cell_type));
  s.groups.push_back(escape_control(row.group));
  ++s.rows;
}

void CellFeatureWriter::commit() {
  State& s = *state_;
  check<ValueError>(s.rows == s.layout.count, op, "expects ", s.layout.count, " rows, got ",
                    s.rows);
  s.write_columns();
  if (H5Fflush(*s.file, H5F_SCOPE_GLOBAL) < 0) fail(s.path, "the file");
  s.close();
  std::error_code error;
  std::filesystem::rename(s.temporary, s.path, error);
  if (error) fail(s.path, error.message().c_str());
  s.committed = true;
}

}  // namespace cytograd
