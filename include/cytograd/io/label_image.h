#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cytograd {

/// One number per pixel: an instance or a class; 0 is background.
struct LabelImage {
  int64_t height = 0, width = 0;
  std::vector<uint32_t> labels;  ///< height * width, row-major

  LabelImage() = default;
  LabelImage(int64_t h, int64_t w, uint32_t value = 0)
      : height(h), width(w), labels(static_cast<size_t>(h * w), value) {}
  bool operator==(const LabelImage&) const = default;
};

/// The stored numbers of a grey PNG (1 to 16 bits, not stretched) or the indices of a palette PNG.
/// @throws DataError ids as for images; `img.form` for a colour image
LabelImage decode_label_png(std::string_view bytes, const std::string& name,
                            int64_t max_pixels = int64_t{64} << 20);
LabelImage read_label_png(const std::string& path);

/// A 16-bit grey PNG. @throws ValueError above 65,535: labels are never clipped
std::string encode_label_png(const LabelImage& image);
/// Atomic. @throws FileError, ValueError
void write_label_png(const std::string& path, const LabelImage& image);

/// A grey TIFF of 8, 16 or 32 bits per pixel, or the indices of a palette TIFF. @throws DataError
LabelImage decode_label_tiff(std::string_view bytes, const std::string& name,
                             int64_t max_pixels = int64_t{64} << 20);
/// A grey TIFF of 32 bits per pixel, deflate-compressed. @throws ValueError over 4 GiB of pixels
std::string encode_label_tiff(const LabelImage& image);

/// PNG or TIFF, by content. @throws DataError, FileError
LabelImage read_labels(const std::string& path);
/// Writes `stem`.png if the labels fit into 16 bits, else `stem`.tif: never clipped. Atomic.
/// @return the path written. @throws FileError, ValueError
std::string write_labels(const std::string& stem, const LabelImage& image);

}  // namespace cytograd
