#include "io/hdf5_writer.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

#include "cytograd/core/error.h"

namespace cytograd::io {
namespace {

constexpr hsize_t chunk_elements = 1 << 16;
constexpr size_t compress_from_bytes = 4096;
constexpr unsigned gzip_level = 4;

void require(herr_t status, const char* what) {
  // In memory only lack of memory fails, or a call of ours that is wrong.
  if (status < 0) throw InternalError(std::string("hdf5: ") + what + " failed");
}

H5Id string_type() {
  H5Id type(H5Tcopy(H5T_C_S1), H5Tclose, "string type");
  require(H5Tset_size(type, H5T_VARIABLE), "string type");
  require(H5Tset_cset(type, H5T_CSET_UTF8), "string type");
  return type;
}

H5Id space_of(std::span<const hsize_t> shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose, "data space"};
  return {H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose,
          "data space"};
}

void put_attribute(hid_t object, const char* name, hid_t memory_type, hid_t file_type,
                   std::span<const hsize_t> shape, const void* data) {
  const H5Id space = space_of(shape);
  const H5Id attribute(H5Acreate2(object, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT),
                       H5Aclose, "attribute");
  if (shape.empty() || shape[0] > 0) require(H5Awrite(attribute, memory_type, data), "attribute");
}

H5Id dataset_options(std::span<const hsize_t> shape, size_t element_bytes) {
  H5Id options(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "dataset options");
  require(H5Pset_obj_track_times(options, false), "dataset options");
  hsize_t elements = 1;
  for (const hsize_t n : shape) elements *= n;
  if (shape.empty() || elements * element_bytes < compress_from_bytes) return options;
  std::vector<hsize_t> chunk(shape.begin(), shape.end());
  hsize_t row = 1;
  for (size_t d = 1; d < chunk.size(); ++d) row *= chunk[d] = std::min(chunk[d], chunk_elements);
  chunk[0] = std::clamp<hsize_t>(chunk_elements / row, 1, chunk[0]);
  require(H5Pset_chunk(options, static_cast<int>(chunk.size()), chunk.data()), "dataset options");
  require(H5Pset_shuffle(options), "dataset options");
  require(H5Pset_deflate(options, gzip_level), "dataset options");
  return options;
}

H5Id file_in_memory() {
  // Our exceptions say what failed; HDF5 would print its own trace.
  static std::once_flag quiet;
  std::call_once(quiet, [] { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); });
  const H5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file access");
  constexpr size_t growth = size_t{1} << 20;
  require(H5Pset_fapl_core(access, growth, false), "file access");
  // The name is never used: the core driver keeps everything in memory.
  return {H5Fcreate("cytograd-in-memory", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose,
          "file in memory"};
}

}  // namespace

H5Id::H5Id(hid_t id, Close close, const char* what) : id_(id), close_(close) {
  if (id < 0) throw InternalError(std::string("hdf5: ") + what + " failed");
}

H5Id::~H5Id() {
  if (id_ >= 0) close_(id_);
}

Hdf5Image::Hdf5Image() : file_(file_in_memory()) {}

std::string Hdf5Image::bytes() const {
  require(H5Fflush(file_, H5F_SCOPE_GLOBAL), "flush");
  const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
  if (size < 0) throw InternalError("hdf5: file image failed");
  std::string out(static_cast<size_t>(size), '\0');
  if (H5Fget_file_image(file_, out.data(), out.size()) != size)
    throw InternalError("hdf5: file image failed");
  return out;
}

H5Id create_group(hid_t parent, const std::string& name) {
  const H5Id options(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "group options");
  require(H5Pset_obj_track_times(options, false), "group options");
  return {H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, options, H5P_DEFAULT), H5Gclose, "group"};
}

H5Id bool_type() {
  H5Id type(H5Tenum_create(H5T_STD_I8LE), H5Tclose, "bool type");
  for (const auto& [name, number] : {std::pair("FALSE", int8_t{0}), std::pair("TRUE", int8_t{1})})
    require(H5Tenum_insert(type, name, &number), "bool type");
  return type;
}

void write_attribute(hid_t object, const char* name, const std::string& text) {
  const char* pointer = text.c_str();
  const H5Id type = string_type();
  put_attribute(object, name, type, type, {}, &pointer);
}

void write_attribute(hid_t object, const char* name, std::span<const int64_t> values) {
  const std::array<hsize_t, 1> shape{values.size()};
  put_attribute(object, name, H5T_NATIVE_INT64, H5T_STD_I64LE, shape, values.data());
}

void write_attribute(hid_t object, const char* name, std::span<const std::string> values) {
  std::vector<const char*> pointers;
  for (const std::string& v : values) pointers.push_back(v.c_str());
  const std::array<hsize_t, 1> shape{values.size()};
  const H5Id type = string_type();
  put_attribute(object, name, type, type, shape, pointers.data());
}

void write_attribute(hid_t object, const char* name, bool value) {
  const auto number = static_cast<int8_t>(value);
  const H5Id type = bool_type();
  put_attribute(object, name, type, type, {}, &number);
}

H5Id write_array(hid_t parent, const std::string& name, std::span<const hsize_t> shape,
                 hid_t memory_type, hid_t file_type, const void* data) {
  const H5Id space = space_of(shape);
  const H5Id options = dataset_options(shape, H5Tget_size(memory_type));
  H5Id dataset(
      H5Dcreate2(parent, name.c_str(), file_type, space, H5P_DEFAULT, options, H5P_DEFAULT),
      H5Dclose, "dataset");
  hsize_t elements = 1;
  for (const hsize_t n : shape) elements *= n;
  if (elements > 0)
    require(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), "dataset");
  return dataset;
}

H5Id write_strings(hid_t parent, const std::string& name, std::span<const std::string> values) {
  std::vector<const char*> pointers;
  pointers.reserve(values.size());
  for (const std::string& v : values) pointers.push_back(v.c_str());
  const std::array<hsize_t, 1> shape{values.size()};
  const H5Id type = string_type();
  H5Id dataset = write_array(parent, name, shape, type, type, pointers.data());
  write_attribute(dataset, "encoding-type", std::string("string-array"));
  write_attribute(dataset, "encoding-version", std::string("0.2.0"));
  return dataset;
}

H5Id write_scalar(hid_t parent, const std::string& name, const std::string& text) {
  const char* pointer = text.c_str();
  const H5Id type = string_type();
  H5Id dataset = write_array(parent, name, {}, type, type, &pointer);
  write_attribute(dataset, "encoding-type", std::string("string"));
  write_attribute(dataset, "encoding-version", std::string("0.2.0"));
  return dataset;
}

H5Id write_scalar(hid_t parent, const std::string& name, double value) {
  H5Id dataset = write_array(parent, name, {}, H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE, &value);
  write_attribute(dataset, "encoding-type", std::string("numeric-scalar"));
  write_attribute(dataset, "encoding-version", std::string("0.2.0"));
  return dataset;
}

}  // namespace cytograd::io
