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
  /// ends with its path. "": the file's own classes.
  std::string labels = "";
  bool keep_undetected = false, keep_empty = false;  ///< cells without detection, without mask
};

/// What one step of training sees; channels last.
struct ImageBatch {
  Tensor h;      ///< [B, 14, 14, 256], -1..1
  Tensor image;  ///< [B, 128, 128, 3], 0..1
  Tensor mask;   ///< [B, 128, 128, 1], 0..1
};

/// A file of cells. Values stay in the file; const members may be called by several threads.
class ImageCells {
 public:
  /// A child process checks the file first: it is hostile input. @throws FileError; DataError
  /// cells.form (naming the HDF5 path and what is expected), h5ad.crash; csv.* for the labels
  explicit ImageCells(const std::string& path, const ImageCellOptions& options = {});
  ~ImageCells();
  ImageCells(ImageCells&&) noexcept;
  ImageCells& operator=(ImageCells&&) noexcept;

  int64_t size() const;                             ///< cells that are kept
  const std::vector<std::string>& names() const;    ///< one per cell
  const std::vector<std::string>& classes() const;  ///< sorted
  const std::vector<int64_t>& labels() const;       ///< one per cell, -1 unknown
  const std::vector<std::string>& groups() const;   ///< donors, one per cell; empty if unknown
  int64_t channels() const;                         ///< of h, 256
  /// What was left out, and why.
  const std::vector<std::string>& notes() const;
  /// Of the names, labels and values; equal files give equal texts.
  std::string hash() const;

  /// @throws ValueError for a row out of range; FileError
  ImageBatch batch(const std::vector<int64_t>& rows) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd::multimodal
