#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

#include "io/hdf5_writer.h"

namespace cytograd::io {

/// Throws DataError h5ad.form about a place of the file.
[[noreturn]] void h5ad_fault(const std::string& place, const std::string& found,
                             const std::string& expected, const std::string& hint = "");

/// Reads arrays of an open HDF5 file. Only hard links are followed; arrays that keep their data
/// elsewhere are refused; sizes are checked before memory is taken.
class Hdf5Reader {
 public:
  explicit Hdf5Reader(const std::string& path);
  bool has(const std::string& place) const;
  bool is_group(const std::string& place) const;
  std::vector<hsize_t> shape(const std::string& place) const;
  std::vector<float> reals(const std::string& place) const;
  std::vector<int64_t> integers(const std::string& place) const;
  bool holds_strings(const std::string& place) const;
  std::vector<std::string> strings(const std::string& place) const;
  /// A string attribute, "" if there is none.
  std::string attribute(const std::string& place, const char* name) const;
  std::vector<int64_t> integer_attribute(const std::string& place, const char* name) const;

 private:
  H5Id dataset(const std::string& place) const;
  H5Id file_;
};

}  // namespace cytograd::io
