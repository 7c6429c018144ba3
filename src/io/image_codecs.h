#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cytograd/core/error.h"
#include "cytograd/io/image.h"
#include "cytograd/io/label_image.h"

/// @file
/// One decoder per format, and what they share. A decoder returns pixels as stored (1 grey, 2 grey
/// and alpha, 3 RGB, 4 RGBA; 8 bits), before orientation and `PixelForm`.

namespace cytograd::io {

struct ImageSource {
  std::string_view bytes;
  const std::string& name;
  const ImageOptions& options;
  const unsigned char* data() const { return reinterpret_cast<const unsigned char*>(bytes.data()); }
};

struct Decoded {
  Image image;
  int orientation = 1;
};

ImageInfo probe_jpeg(const ImageSource& source);
ImageInfo probe_png(const ImageSource& source);
ImageInfo probe_tiff(const ImageSource& source);
ImageInfo probe_simple(const ImageSource& source, ImageFormat format);
Decoded decode_jpeg(const ImageSource& source);
Decoded decode_png(const ImageSource& source);
Decoded decode_tiff(const ImageSource& source);
LabelImage decode_tiff_labels(const ImageSource& source);
Decoded decode_simple(const ImageSource& source, ImageFormat format);

[[noreturn]] void throw_truncated(const ImageSource& source, const char* format, size_t byte);
[[noreturn]] void throw_corrupt(const ImageSource& source, const std::string& place,
                                const std::string& found);
[[noreturn]] void throw_form(const ImageSource& source, const std::string& found,
                             const std::string& expected);
/// Refuses sizes of zero and more pixels than allowed, before anything is allocated.
void check_size(const ImageSource& source, int64_t height, int64_t width);
/// Refuses pixels that `bytes` of compressed data cannot hold: a header that lies.
[[noreturn]] void throw_unjustified(const ImageSource& source, int64_t height, int64_t width);

/// round(v * 255 / 65535)
inline uint8_t to_8_bit(unsigned v) { return static_cast<uint8_t>((v * 255 + 32767) / 65535); }

/// EXIF orientation 1..8 undone: 2-4 mirror and turn by 180, 5-8 swap the sides.
Image apply_orientation(Image image, int orientation);
/// Rules of image.h.
Image to_form(Image image, PixelForm form);

}  // namespace cytograd::io
