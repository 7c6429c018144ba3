#include "io/hdf5_reader.h"

#include <cstring>

#include "cytograd/core/error.h"
#include "io/lzf_filter.h"

namespace cytograd::io {
namespace {

constexpr hsize_t most_values = hsize_t{1} << 32;
constexpr hssize_t most_names = 1'000'000;  // of a list or group

H5Id open_file(const std::string& path, Hdf5Reader::Mode mode) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  register_lzf();
  const bool change = mode == Hdf5Reader::Mode::change;
  const H5Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "file access");
  if (change) H5Pset_file_locking(access, false, true);
  const hid_t file = H5Fopen(path.c_str(), change ? H5F_ACC_RDWR : H5F_ACC_RDONLY, access);
  if (file < 0) h5ad_fault("", "no HDF5 file", "an .h5ad file");
  return {file, H5Fclose, "file"};
}

hsize_t count_of(const std::vector<hsize_t>& shape, const std::string& place) {
  hsize_t count = 1;
  for (const hsize_t n : shape) {
    if (n != 0 && count > most_values / n)
      h5ad_fault(place, "more than 2^32 values", "fewer", "select genes or cells first");
    count *= n;
  }
  return count;
}

std::string attribute_text(hid_t from, hid_t type) {
  if (H5Tis_variable_str(type) > 0) {
    char* text = nullptr;
    if (H5Aread(from, type, &text) < 0 || !text) return "";
    std::string out = text;
    H5free_memory(text);
    return out;
  }
  std::string out(H5Tget_size(type), '\0');
  if (H5Aread(from, type, out.data()) < 0) return "";
  return out.c_str();
}

// Whole numbers, or reals too.
void require_class(const H5Id& set, const std::string& place, bool reals) {
  const H5Id type(H5Dget_type(set), H5Tclose, "type");
  const H5T_class_t kind = H5Tget_class(type);
  // The enumeration is that of true and false.
  const bool flags = kind == H5T_ENUM && H5Tget_size(type) == 1;
  if (reals && kind != H5T_FLOAT && kind != H5T_INTEGER && !flags)
    h5ad_fault(place, "no numbers", "numbers");
  if (!reals && kind != H5T_INTEGER) h5ad_fault(place, "no whole numbers", "whole numbers");
}

// Values first .. first + count - 1 of an array of one axis.
void read_part(const H5Id& set, const std::string& place, int64_t first, int64_t count,
               hid_t native, void* to) {
  if (count == 0) return;
  const H5Id space(H5Dget_space(set), H5Sclose, "space");
  const hsize_t from[1] = {static_cast<hsize_t>(first)}, part[1] = {static_cast<hsize_t>(count)};
  const H5Id memory(H5Screate_simple(1, part, nullptr), H5Sclose, "space");
  if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, nullptr, part, nullptr) < 0 ||
      H5Dread(set, native, memory, space, H5P_DEFAULT, to) < 0)
    h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
}

}  // namespace

void h5ad_fault(const std::string& place, const std::string& found, const std::string& expected,
                const std::string& hint) {
  throw DataError(Fault{"h5ad.form", "", place, found, expected, hint});
}

void unknown_form(const std::string& place, const std::string& found, const std::string& expected) {
  throw UnknownForm(Fault{"h5ad.form", "", place, found, expected, ""});
}

Hdf5Reader::Hdf5Reader(const std::string& path, Mode mode) : file_(open_file(path, mode)) {}

bool Hdf5Reader::has(const std::string& place) const {
  if (place == "/") return true;
  // Step by step: a missing group on the way is no error, and no soft or external link is followed.
  for (size_t at = 0; at != std::string::npos;) {
    at = place.find('/', at + 1);
    const std::string part = place.substr(0, at);
    H5L_info_t info;
    if (H5Lexists(file_, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (H5Lget_info(file_, part.c_str(), &info, H5P_DEFAULT) < 0) return false;
    if (info.type != H5L_TYPE_HARD)
      h5ad_fault(part, "a link to another place or file", "the data itself");
  }
  return true;
}

bool Hdf5Reader::is_group(const std::string& place) const {
  if (!has(place)) return false;
  const H5Id object(H5Oopen(file_, place.c_str(), H5P_DEFAULT), H5Oclose, "object");
  return H5Iget_type(object) == H5I_GROUP;
}

H5Id Hdf5Reader::dataset(const std::string& place) const {
  if (!has(place)) h5ad_fault(place, "nothing of this name", "an array");
  const hid_t id = H5Dopen2(file_, place.c_str(), H5P_DEFAULT);
  if (id < 0) h5ad_fault(place, "no array", "an array");
  H5Id out(id, H5Dclose, "array");
  const H5Id options(H5Dget_create_plist(out), H5Pclose, "array options");
  if (H5Pget_layout(options) == H5D_VIRTUAL || H5Pget_external_count(options) > 0)
    h5ad_fault(place, "data kept in another file", "data in this file");
  for (int i = 0; i < H5Pget_nfilters(options); ++i) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char name[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(options, static_cast<unsigned>(i), &flags, &values,
                                               nullptr, sizeof name, name, &config);
    if (H5Zfilter_avail(filter) <= 0)
      h5ad_fault(place, "compression filter " + std::to_string(filter) + " " + name, "gzip or lzf",
                 "save the file again with gzip");
  }
  return out;
}

std::vector<hsize_t> Hdf5Reader::shape(const std::string& place) const {
  const H5Id set = dataset(place);
  const H5Id space(H5Dget_space(set), H5Sclose, "space");
  const int dims = H5Sget_simple_extent_ndims(space);
  if (dims < 0 || dims > 2) h5ad_fault(place, "more than two axes", "one or two");
  std::vector<hsize_t> out(static_cast<size_t>(dims));
  H5Sget_simple_extent_dims(space, out.data(), nullptr);
  return out;
}

std::vector<float> Hdf5Reader::reals(const std::string& place) const {
  const H5Id set = dataset(place);
  require_class(set, place, true);
  std::vector<float> out(count_of(shape(place), place));
  if (!out.empty() && H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)
    h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
  return out;
}

std::vector<int64_t> Hdf5Reader::integers(const std::string& place) const {
  const H5Id set = dataset(place);
  require_class(set, place, false);
  std::vector<int64_t> out(count_of(shape(place), place));
  if (!out.empty() && H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0)
    h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
  return out;
}

hsize_t Hdf5Reader::length(const std::string& place) const {
  const std::vector<hsize_t> sizes = shape(place);
  if (sizes.size() != 1) h5ad_fault(place, "no list", "an array of one axis");
  return sizes[0];
}

std::vector<float> Hdf5Reader::reals(const std::string& place, int64_t first, int64_t count) const {
  const H5Id set = dataset(place);
  require_class(set, place, true);
  std::vector<float> out(static_cast<size_t>(count));
  read_part(set, place, first, count, H5T_NATIVE_FLOAT, out.data());
  return out;
}

std::vector<int64_t> Hdf5Reader::integers(const std::string& place, int64_t first,
                                          int64_t count) const {
  const H5Id set = dataset(place);
  require_class(set, place, false);
  std::vector<int64_t> out(static_cast<size_t>(count));
  read_part(set, place, first, count, H5T_NATIVE_INT64, out.data());
  return out;
}

bool Hdf5Reader::holds_strings(const std::string& place) const {
  const H5Id set = dataset(place);
  const H5Id type(H5Dget_type(set), H5Tclose, "type");
  return H5Tget_class(type) == H5T_STRING;
}

std::vector<std::string> Hdf5Reader::strings(const std::string& place) const {
  const H5Id set = dataset(place);
  const H5Id type(H5Dget_type(set), H5Tclose, "type");
  if (H5Tget_class(type) != H5T_STRING) h5ad_fault(place, "no strings", "strings");
  const auto count = static_cast<size_t>(count_of(shape(place), place));
  std::vector<std::string> out;
  if (count == 0) return out;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count);
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) < 0)
      h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
    for (char* text : texts) {
      out.emplace_back(text ? text : "");
      H5free_memory(text);
    }
    return out;
  }
  const size_t width = H5Tget_size(type);
  std::string bytes(width * count, '\0');
  if (H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()) < 0)
    h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
  for (size_t i = 0; i < count; ++i)
    out.emplace_back(bytes.data() + i * width, strnlen(bytes.data() + i * width, width));
  return out;
}

std::string Hdf5Reader::attribute(const std::string& place, const char* name) const {
  if (!has(place) || H5Aexists_by_name(file_, place.c_str(), name, H5P_DEFAULT) <= 0) return "";
  const H5Id id(H5Aopen_by_name(file_, place.c_str(), name, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                "attribute");
  const H5Id type(H5Aget_type(id), H5Tclose, "type");
  const H5Id space(H5Aget_space(id), H5Sclose, "space");
  if (H5Tget_class(type) != H5T_STRING || H5Sget_simple_extent_npoints(space) != 1) return "";
  return attribute_text(id, type);
}

std::vector<int64_t> Hdf5Reader::integer_attribute(const std::string& place,
                                                   const char* name) const {
  if (!has(place) || H5Aexists_by_name(file_, place.c_str(), name, H5P_DEFAULT) <= 0) return {};
  const H5Id id(H5Aopen_by_name(file_, place.c_str(), name, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                "attribute");
  const H5Id type(H5Aget_type(id), H5Tclose, "type");
  const H5Id space(H5Aget_space(id), H5Sclose, "space");
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Tget_class(type) != H5T_INTEGER || count < 1 || count > 16) return {};
  std::vector<int64_t> out(static_cast<size_t>(count));
  if (H5Aread(id, H5T_NATIVE_INT64, out.data()) < 0) return {};
  return out;
}

std::optional<std::vector<std::string>> Hdf5Reader::list_attribute(const std::string& place,
                                                                   const char* name) const {
  if (!has(place) || H5Aexists_by_name(file_, place.c_str(), name, H5P_DEFAULT) <= 0)
    return std::nullopt;
  const H5Id id(H5Aopen_by_name(file_, place.c_str(), name, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                "attribute");
  const H5Id type(H5Aget_type(id), H5Tclose, "type");
  const H5Id space(H5Aget_space(id), H5Sclose, "space");
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  std::vector<std::string> out;
  // An empty list has no strings to tell its type.
  if (count <= 0) return out;
  if (H5Tis_variable_str(type) <= 0 || count > most_names)
    h5ad_fault(place, std::string("attribute ") + name + " of another form", "a list of strings");
  std::vector<char*> texts(static_cast<size_t>(count));
  if (H5Aread(id, type, texts.data()) < 0)
    h5ad_fault(place, std::string("attribute ") + name + " that cannot be read", "a whole file");
  for (char* text : texts) {
    out.emplace_back(text ? text : "");
    H5free_memory(text);
  }
  return out;
}

bool Hdf5Reader::flag_attribute(const std::string& place, const char* name) const {
  if (!has(place) || H5Aexists_by_name(file_, place.c_str(), name, H5P_DEFAULT) <= 0) return false;
  const H5Id id(H5Aopen_by_name(file_, place.c_str(), name, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                "attribute");
  const H5Id type(H5Aget_type(id), H5Tclose, "type");
  const H5Id space(H5Aget_space(id), H5Sclose, "space");
  char value = 0;
  return H5Tget_size(type) == 1 && H5Sget_simple_extent_npoints(space) == 1 &&
         H5Aread(id, type, &value) >= 0 && value != 0;
}

std::vector<std::string> Hdf5Reader::children(const std::string& place) const {
  if (!is_group(place)) return {};
  const H5Id group(H5Gopen2(file_, place.c_str(), H5P_DEFAULT), H5Gclose, "group");
  H5G_info_t info;
  if (H5Gget_info(group, &info) < 0 || info.nlinks > static_cast<hsize_t>(most_names))
    h5ad_fault(place, "entries that cannot be listed", "a whole group");
  std::vector<std::string> out;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto size = [&](char* to, size_t bytes) {
      return H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, to, bytes, H5P_DEFAULT);
    };
    const ssize_t length = size(nullptr, 0);
    if (length < 0) h5ad_fault(place, "entries that cannot be listed", "a whole group");
    std::string name(static_cast<size_t>(length) + 1, '\0');
    size(name.data(), name.size());
    name.pop_back();
    out.push_back(std::move(name));
  }
  return out;
}

std::vector<float> Hdf5Reader::real_rows(const std::string& place, hsize_t first,
                                         hsize_t count) const {
  const H5Id set = dataset(place);
  require_class(set, place, true);
  const std::vector<hsize_t> whole = shape(place);
  if (whole.size() != 2) h5ad_fault(place, "one axis", "[cells, genes]");
  const hsize_t from[2] = {first, 0}, part[2] = {count, whole[1]};
  std::vector<float> out(count_of({count, whole[1]}, place));
  if (out.empty()) return out;
  const H5Id space(H5Dget_space(set), H5Sclose, "space");
  const H5Id memory(H5Screate_simple(2, part, nullptr), H5Sclose, "space");
  if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, nullptr, part, nullptr) < 0 ||
      H5Dread(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, out.data()) < 0)
    h5ad_fault(place, "data that cannot be read", "a whole array", "copy the file again");
  return out;
}

}  // namespace cytograd::io
