#pragma once

#include <hdf5.h>

#include <optional>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "io/hdf5_writer.h"

namespace cytograd::io {

/// Throws DataError h5ad.form about a place of the file.
[[noreturn]] void h5ad_fault(const std::string& place, const std::string& found,
                             const std::string& expected, const std::string& hint = "");

/// The same about a form that this reader does not know; callers may go on without it.
struct UnknownForm : DataError {
  using DataError::DataError;
};
[[noreturn]] void unknown_form(const std::string& place, const std::string& found,
                               const std::string& expected);

/// Reads arrays of an open HDF5 file, compressed by gzip, szip or lzf. Only hard links are
/// followed; arrays that keep their data elsewhere are refused; sizes are checked before memory is
/// taken.
class Hdf5Reader {
 public:
  /// A file that is changed is no one else's: it is not locked.
  enum class Mode { read, change };
  explicit Hdf5Reader(const std::string& path, Mode mode = Mode::read);
  hid_t id() const { return file_; }
  bool has(const std::string& place) const;
  bool is_group(const std::string& place) const;
  std::vector<hsize_t> shape(const std::string& place) const;
  std::vector<float> reals(const std::string& place) const;
  std::vector<int64_t> integers(const std::string& place) const;
  /// Values of an array of one axis.
  hsize_t length(const std::string& place) const;
  /// Values first .. first + count - 1 of an array of one axis.
  std::vector<float> reals(const std::string& place, int64_t first, int64_t count) const;
  std::vector<int64_t> integers(const std::string& place, int64_t first, int64_t count) const;
  bool holds_strings(const std::string& place) const;
  std::vector<std::string> strings(const std::string& place) const;
  /// A string attribute, "" if there is none.
  std::string attribute(const std::string& place, const char* name) const;
  std::vector<int64_t> integer_attribute(const std::string& place, const char* name) const;
  /// A list of strings, or nothing if there is no such attribute.
  std::optional<std::vector<std::string>> list_attribute(const std::string& place,
                                                         const char* name) const;
  /// A number of one byte, as anndata writes true and false; false if there is none.
  bool flag_attribute(const std::string& place, const char* name) const;

  /// Names in a group, sorted.
  std::vector<std::string> children(const std::string& place) const;
  /// Rows first .. first + count - 1 of an array of two axes.
  std::vector<float> real_rows(const std::string& place, hsize_t first, hsize_t count) const;
  /// An open array, after all checks.
  H5Id dataset(const std::string& place) const;

 private:
  H5Id file_;
};

}  // namespace cytograd::io
