#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// Images in and out. The type is taken from the content, never from the file name.
///
/// What becomes of each form (all results have 8 bits per channel):
/// - 16-bit channels become round(v * 255 / 65535); 1-, 2- and 4-bit grey is stretched to 0..255;
///   palettes become their colours.
/// - `PixelForm::rgb`: grey is copied to the three channels; transparent pixels are laid on white,
///   round((c * a + 255 * (255 - a)) / 255).
/// - `PixelForm::keep`: grey stays one channel, everything else as `rgb`. For masks.
/// - `PixelForm::rgba`: four channels, alpha untouched, 255 where the file has none.
/// - EXIF orientation of JPEG and the orientation tag of TIFF are applied. ICC profiles and gamma
///   are ignored, as the common Python readers do. Of a TIFF with several pages the first is read.
/// - Refused by name (`img.form`): CMYK, Lab and other colour spaces, float or signed samples, TIFF
///   samples of other than 1, 8 or 16 bits, PNM with a maximum other than 255 or 65535.
///
/// Faults are `DataError`: `img.type` not a supported image, `img.truncated` ends early,
/// `img.corrupt` contradicts itself (a decoder's warning counts), `img.bomb` over the pixel limit
/// or larger than its own bytes can justify, `img.form` see above.

namespace cytograd {

/// 8-bit pixels, row-major, channels interleaved (HWC): 1 grey, 3 RGB or 4 RGBA.
struct Image {
  int64_t height = 0, width = 0, channels = 3;
  std::vector<uint8_t> pixels;  ///< height * width * channels

  Image() = default;
  Image(int64_t h, int64_t w, int64_t c, uint8_t value = 0)
      : height(h), width(w), channels(c), pixels(static_cast<size_t>(h * w * c), value) {}
  uint8_t* at(int64_t y, int64_t x) { return pixels.data() + (y * width + x) * channels; }
  const uint8_t* at(int64_t y, int64_t x) const {
    return pixels.data() + (y * width + x) * channels;
  }
  bool operator==(const Image&) const = default;
};

/// RGB pixels from values in 0..1, cut there, as 8 bits: round(255 v); what is no number is 0.
/// @param rgb  [height, width, 3]   @param mask  [height, width] to multiply by, or null
Image image_of(const float* rgb, const float* mask, int64_t height, int64_t width);

enum class ImageFormat : uint8_t { jpeg, png, tiff, bmp, pnm };
/// "JPEG", "PNG", ...
const char* name_of(ImageFormat format);

enum class PixelForm : uint8_t { rgb, keep, rgba };

/// Default of `ImageOptions::max_pixels`.
inline constexpr int64_t default_max_pixels = int64_t{64} << 20;

struct ImageOptions {
  PixelForm form = PixelForm::rgb;
  int64_t max_pixels = default_max_pixels;
  /// JPEG only: decode at 1/2, 1/4 or 1/8 as long as the shorter side keeps at least this many
  /// pixels (several times faster); 0 decodes at full size.
  int64_t min_side = 0;
};

/// What the header says.
struct ImageInfo {
  ImageFormat format = ImageFormat::png;
  int64_t height = 0, width = 0;  ///< as displayed, with the orientation applied
  int channels = 0;               ///< as stored: 1, 2 (grey and alpha), 3, 4; 1 for a palette
  int bits = 8;                   ///< per channel
  bool palette = false;
  int orientation = 1;  ///< EXIF value 1..8
};

/// Reads only the header; pixels may still turn out to be damaged. @throws DataError
ImageInfo probe_image(std::string_view bytes, const std::string& name,
                      const ImageOptions& options = {});
/// @param name for messages. @throws DataError
Image decode_image(std::string_view bytes, const std::string& name,
                   const ImageOptions& options = {});
/// @throws DataError, FileError
Image read_image(const std::string& path, const ImageOptions& options = {});

/// @param image 1, 3 or 4 channels. @throws ValueError
std::string encode_png(const Image& image);
/// @param image 1 or 3 channels  @param quality 1..100; chroma at full resolution from 90 up
std::string encode_jpeg(const Image& image, int quality = 95);
/// Atomic. @throws FileError
void write_png(const std::string& path, const Image& image);

}  // namespace cytograd
