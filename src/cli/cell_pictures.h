#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"

/// @file
/// A folder of cells as PNG files with the manifest `cells.csv`, a data set of `cyto train`.

namespace cytograd::cli {

class CellPictures {
 public:
  /// A folder that is not empty is refused without force; with it the manifest and the pictures of
  /// an earlier call are removed. @param folder  "": nothing is written   @throws FileError
  CellPictures(const std::string& folder, bool force);
  /// Writes 000001.png and so on; the manifest lists cells of known class.
  void add(const Image& image, const std::string& label, const std::string& group,
           const std::string& split = "");
  /// The manifest appears.
  void commit();

 private:
  std::string folder_;
  int64_t count_ = 0;
  std::optional<CsvWriter> table_;
};

}  // namespace cytograd::cli
