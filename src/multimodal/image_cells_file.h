#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

/// @file
/// The file of `cyto segment features`, read by child processes alone: HDF5 never runs here on a
/// file that may be hostile, so there is nothing of it to guard against other threads either.

namespace cytograd::multimodal {

inline constexpr int64_t h_side = 14, target_side = 128, most_channels = 4096;
inline constexpr size_t crop_values = 128 * 128 * 3, mask_values = 128 * 128;
/// Values of one cell as this reader hands them over: h [14, 14, channels], crop [128, 128, 3],
/// mask [128, 128].
inline size_t h_values(int64_t channels) { return static_cast<size_t>(h_side * h_side * channels); }
inline size_t cell_values(int64_t channels) {
  return h_values(channels) + crop_values + mask_values;
}

/// One entry per cell in all.
struct ImageCellColumns {
  std::vector<std::string> names, types, groups;  ///< types and groups are "" where unknown
  std::vector<int64_t> undetected, empty_mask;    ///< 0 or 1
  bool has_types = false;
  int64_t channels = 0;  ///< of h
  std::string detector;  ///< what made h: weights, level, mask; "" if the file does not say
};
/// @throws FileError; DataError cells.form, h5ad.crash
ImageCellColumns read_cell_columns(const std::string& path);

/// Rows of the file in this order; `take` gets cell_values each. @param cells  of the whole file
/// @throws as above; DataError change if the file has another number of cells or channels
void read_cell_rows(const std::string& path, int64_t cells, int64_t channels,
                    const std::vector<int64_t>& rows,
                    const std::function<void(size_t index, const float* values)>& take);

/// Looks at all values of these rows. @param names  of all cells of the file @return a hash per row
/// @throws as above; cells.form naming cell and dataset for values that are not finite or outside
/// -1..1 (h) and 0..1
std::vector<std::string> check_cell_rows(const std::string& path,
                                         const std::vector<std::string>& names,
                                         const std::vector<int64_t>& rows);

}  // namespace cytograd::multimodal
