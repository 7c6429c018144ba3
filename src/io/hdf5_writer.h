#pragma once

#include <hdf5.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cytograd::io {

/// An HDF5 identifier that closes itself. Negative identifiers, HDF5's errors, become exceptions.
class H5Id {
 public:
  using Close = herr_t (*)(hid_t);
  H5Id(hid_t id, Close close, const char* what);
  H5Id(H5Id&& other) noexcept : id_(other.id_), close_(other.close_) { other.id_ = -1; }
  H5Id(const H5Id&) = delete;
  H5Id& operator=(const H5Id&) = delete;
  ~H5Id();
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// An HDF5 file put together in memory, so that it reaches the disk by the one atomic writer.
class Hdf5Image {
 public:
  Hdf5Image();
  hid_t root() const { return file_; }
  /// The finished file.
  std::string bytes() const;

 private:
  H5Id file_;
};

/// True and false as h5py and anndata store them: an enumeration of one byte.
H5Id bool_type();
H5Id create_group(hid_t parent, const std::string& name);
void write_attribute(hid_t object, const char* name, const std::string& text);
void write_attribute(hid_t object, const char* name, std::span<const int64_t> values);
void write_attribute(hid_t object, const char* name, std::span<const std::string> values);
void write_attribute(hid_t object, const char* name, bool value);

/// Arrays of one or two axes: chunked, shuffled and deflated beyond a few KiB.
H5Id write_array(hid_t parent, const std::string& name, std::span<const hsize_t> shape,
                 hid_t memory_type, hid_t file_type, const void* data);
H5Id write_strings(hid_t parent, const std::string& name, std::span<const std::string> values);
H5Id write_scalar(hid_t parent, const std::string& name, const std::string& text);
H5Id write_scalar(hid_t parent, const std::string& name, double value);

}  // namespace cytograd::io
