#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

/// @file
/// Features of single cells in HDF5, written cell by cell: tens of thousands need gigabytes.

namespace cytograd {

/// Sizes of all cells, and what the file says of itself.
struct CellFeatureLayout {
  int64_t count = 0;                                   ///< cells
  int64_t cells = 14;                                  ///< side of the feature maps
  int64_t channels = 256;                              ///< of the feature maps
  int64_t target = 128;                                ///< side of masks and crops
  bool half = false;                                   ///< `h` in 16 bits
  std::map<std::string, std::string> attributes = {};  ///< of the file
};

/// One row of every table.
struct CellFeatureRow {
  const std::vector<float>* h = nullptr;     ///< [cells, cells, channels]
  const std::vector<float>* mask = nullptr;  ///< [target, target]
  const std::vector<float>* crop = nullptr;  ///< [target, target, 3]
  float h_min = 0, h_max = 0, score = 0;
  float box[4] = {};
  int64_t label = 0, level = 0, others = 0;
  bool flat_features = false, empty_mask = false, undetected = false;
  std::string name;                        ///< where the cell comes from
  std::string cell_type = "", group = "";  ///< as a data set or a table says it; "" unknown
};

/// Writes datasets `h` [n, cells, cells, channels], `mask` [n, target, target], `crop` [n, target,
/// target, 3], `h_range` [n, 2], `box` [n, 4], `score`, `label`, `level`, `others`,
/// `flat_features`, `empty_mask`, `undetected`, `name`, `cell_type` and `group`. The file appears
/// under its name when it is complete. The same rows give the same bytes.
class CellFeatureWriter {
 public:
  /// @throws FileError if the folder cannot be written to, ValueError for sizes below 1
  CellFeatureWriter(std::string path, const CellFeatureLayout& layout);
  /// Without `commit` nothing is left.
  ~CellFeatureWriter();
  CellFeatureWriter(const CellFeatureWriter&) = delete;
  CellFeatureWriter& operator=(const CellFeatureWriter&) = delete;

  /// @throws ValueError for arrays of other sizes or more rows than were announced; FileError
  void add(const CellFeatureRow& row);
  /// @throws ValueError if rows are missing; FileError
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd
