#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"

/// @file
/// Cells that a detector described (`cyto segment features`), as an image VAE is trained on.

namespace cytograd::multimodal {

struct ImageCellOptions {
  /// CSV with a header: `path` (or `name`), `label`, and if wanted `group`, `split`. A cell's name
  /// ends with its path; it counts alone, also for cells without a row. "": the file's own classes.
  std::string labels = "";
  bool keep_undetected = false, keep_empty = false;  ///< cells without detection, without mask
};

/// What one step of training sees; channels last.
struct ImageBatch {
  Tensor h;      ///< [B, 14, 14, channels], -1..1
  Tensor image;  ///< [B, 128, 128, 3], 0..1
  Tensor mask;   ///< [B, 128, 128, 1], 0..1
};

/// A file of cells. Values stay in the file, and up to half a GiB of those that were read in
/// memory; const members may be called by several threads.
class ImageCells {
 public:
  /// Reads all values once, to see that they are finite and in range. The file is hostile input:
  /// child processes read it, here and in `batch`. @throws FileError; DataError cells.form (naming
  /// the HDF5 path, the cell and what is expected), h5ad.crash; data.empty if no cell is left;
  /// csv.* for the labels
  explicit ImageCells(const std::string& path, const ImageCellOptions& options = {});
  ~ImageCells();
  ImageCells(ImageCells&&) noexcept;
  ImageCells& operator=(ImageCells&&) noexcept;

  int64_t size() const;                             ///< cells that are kept
  const std::vector<std::string>& names() const;    ///< one per cell
  const std::vector<std::string>& classes() const;  ///< sorted
  const std::vector<int64_t>& labels() const;       ///< one per cell, -1 unknown
  const std::vector<std::string>& groups() const;   ///< donors, one per cell; empty if unknown
  const std::vector<std::string>& splits() const;   ///< by the labels: "train", "val", "test", "";
                                                    ///< one per cell, or empty
  const std::vector<std::string>& digests() const;  ///< equal for cells of equal values
  int64_t channels() const;                         ///< of h: the width of the detector's pyramid
  /// What was left out, and why.
  const std::vector<std::string>& notes() const;
  /// Of the names, labels, parts and values; equal files give equal texts.
  std::string hash() const;
  /// What made h: the detector's weights (their xxh3 hash), the pyramid's level, how the mask was
  /// used; features of another mean something else. "" if the file does not say.
  const std::string& detector() const;

  /// @throws ValueError for a row out of range; FileError; DataError change, cells.form, h5ad.crash
  /// if the file is another by now
  ImageBatch batch(const std::vector<int64_t>& rows) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd::multimodal
