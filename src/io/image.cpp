#include "cytograd/io/image.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "io/image_codecs.h"

namespace cytograd {
namespace io {

const char* const copy_again = "copy it again or leave it out";

void throw_truncated(const ImageSource& source, const char* format, size_t byte) {
  throw DataError({"img.truncated", source.name, "byte " + std::to_string(byte),
                   std::string(format) + " data ends early", "a complete image", copy_again});
}

void throw_corrupt(const ImageSource& source, const std::string& place, const std::string& found) {
  throw DataError({"img.corrupt", source.name, place, found, "", copy_again});
}

void throw_form(const ImageSource& source, const std::string& found, const std::string& expected) {
  throw DataError(
      {"img.form", source.name, "", found, expected, "convert it, for example to an RGB PNG"});
}

void throw_unjustified(const ImageSource& source, int64_t height, int64_t width) {
  throw DataError({"img.bomb", source.name, "",
                   "header claims " + std::to_string(width) + " x " + std::to_string(height) +
                       " pixels in a file of " + std::to_string(source.bytes.size()) + " bytes",
                   "a size that the data can hold", copy_again});
}

void check_size(const ImageSource& source, int64_t height, int64_t width) {
  if (height < 1 || width < 1)
    throw_corrupt(source, "",
                  "image size is " + std::to_string(width) + " x " + std::to_string(height));
  const int64_t limit = source.options.max_pixels;
  if (height > limit / width)
    throw DataError(
        {"img.bomb", source.name, "",
         "image of " + std::to_string(width) + " x " + std::to_string(height) + " pixels",
         "at most " + std::to_string(limit) + " pixels",
         "raise the limit if the file can be trusted"});
}

Image apply_orientation(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swapped = orientation >= 5;
  Image out(swapped ? image.width : image.height, swapped ? image.height : image.width,
            image.channels);
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      // The source pixel shown at (y, x), by the table of EXIF 2.3, tag 0x0112.
      int64_t sy = swapped ? x : y, sx = swapped ? y : x;
      const bool flip_x =
          orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
      const bool flip_y =
          orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
      if (flip_x) sx = image.width - 1 - sx;
      if (flip_y) sy = image.height - 1 - sy;
      std::copy_n(image.at(sy, sx), image.channels, out.at(y, x));
    }
  }
  return out;
}

Image to_form(Image image, PixelForm form) {
  const bool grey = image.channels <= 2, alpha = image.channels % 2 == 0;
  const int64_t wanted = form == PixelForm::rgba ? 4 : form == PixelForm::keep && grey ? 1 : 3;
  if (wanted == image.channels) return image;
  Image out(image.height, image.width, wanted);
  const auto on_white = [](int c, int a) {
    return static_cast<uint8_t>((c * a + 255 * (255 - a) + 127) / 255);
  };
  const uint8_t* from = image.pixels.data();
  uint8_t* to = out.pixels.data();
  for (int64_t i = 0; i < image.height * image.width; ++i, from += image.channels, to += wanted) {
    const uint8_t a = alpha ? from[image.channels - 1] : 255;
    for (int64_t c = 0; c < std::min<int64_t>(wanted, 3); ++c) {
      const uint8_t value = from[grey ? 0 : c];
      to[c] = wanted == 4 ? value : on_white(value, a);
    }
    if (wanted == 4) to[3] = a;
  }
  return out;
}

}  // namespace io

namespace {

using io::ImageSource;

bool starts_with(std::string_view bytes, std::string_view magic) {
  return bytes.substr(0, magic.size()) == magic;
}

std::optional<ImageFormat> format_of(std::string_view b) {
  using namespace std::string_view_literals;
  if (starts_with(b, "\xff\xd8\xff"sv)) return ImageFormat::jpeg;
  if (starts_with(b, "\x89PNG\r\n\x1a\n"sv)) return ImageFormat::png;
  if (starts_with(b, "II*\0"sv) || starts_with(b, "MM\0*"sv) || starts_with(b, "II+\0"sv) ||
      starts_with(b, "MM\0+"sv))
    return ImageFormat::tiff;
  if (starts_with(b, "BM"sv) && b.size() >= 14 && b.substr(6, 4) == "\0\0\0\0"sv)
    return ImageFormat::bmp;
  if (b.size() > 2 && b[0] == 'P' && (b[1] == '5' || b[1] == '6') &&
      (b[2] == ' ' || b[2] == '\n' || b[2] == '\t' || b[2] == '\r'))
    return ImageFormat::pnm;
  return std::nullopt;
}

// What a file that is no supported image is, for the message.
std::string describe_content(std::string_view b) {
  using namespace std::string_view_literals;
  static constexpr std::pair<std::string_view, const char*> known[] = {
      {"GIF8"sv, "a GIF image"},
      {"\x89HDF"sv, "an HDF5 file"},
      {"%PDF"sv, "a PDF document"},
      {"PK\3\4"sv, "a ZIP archive"},
      {"\x1f\x8b"sv, "gzip data"},
      {"\0\0\0\x0cjP  "sv, "a JPEG 2000 image"},
      {"8BPS"sv, "a Photoshop file"},
      {"BM"sv, "a damaged BMP image"},
      {"\xff\xd8"sv, "a damaged JPEG image"},
      {"\x89PNG"sv, "a damaged PNG image"},
      {"P1"sv, "a PNM image in a variant other than P5 and P6"},
      {"P2"sv, "a PNM image in a variant other than P5 and P6"},
      {"P3"sv, "a PNM image in a variant other than P5 and P6"},
      {"P4"sv, "a PNM image in a variant other than P5 and P6"},
      {"P7"sv, "a PNM image in a variant other than P5 and P6"},
  };
  const auto at = [&](size_t place, std::string_view part) {
    return b.size() >= place && starts_with(b.substr(place), part);
  };
  if (b.empty()) return "an empty file";
  for (const auto& [magic, text] : known)
    if (starts_with(b, magic)) return text;
  if (starts_with(b, "RIFF") && at(8, "WEBP")) return "a WebP image";
  if (at(4, "ftyp")) return "an MPEG-4, HEIF or AVIF file";
  const std::string head = to_lower_ascii(trim(b.substr(0, 512)));
  if (starts_with(head, "<!doctype html") || starts_with(head, "<html")) return "an HTML page";
  if (starts_with(head, "<?xml") || starts_with(head, "<svg")) return "XML text";
  const bool text = std::all_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  return text ? "text" : "data of an unknown type";
}

ImageFormat require_format(const ImageSource& source) {
  if (const auto format = format_of(source.bytes)) return *format;
  throw DataError({"img.type", source.name, "", "file is " + describe_content(source.bytes),
                   "a JPEG, PNG, TIFF, BMP or PNM (P5, P6) image", "remove or convert it"});
}

}  // namespace

const char* name_of(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::tiff:
      return "TIFF";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::pnm:
      return "PNM";
  }
  return "unknown";
}

ImageInfo probe_image(std::string_view bytes, const std::string& name,
                      const ImageOptions& options) {
  const ImageSource source{bytes, name, options};
  ImageInfo info;
  switch (const ImageFormat format = require_format(source)) {
    case ImageFormat::jpeg:
      info = io::probe_jpeg(source);
      break;
    case ImageFormat::png:
      info = io::probe_png(source);
      break;
    case ImageFormat::tiff:
      info = io::probe_tiff(source);
      break;
    case ImageFormat::bmp:
    case ImageFormat::pnm:
      info = io::probe_simple(source, format);
      break;
  }
  if (info.orientation >= 5) std::swap(info.height, info.width);
  return info;
}

Image decode_image(std::string_view bytes, const std::string& name, const ImageOptions& options) {
  const ImageSource source{bytes, name, options};
  io::Decoded decoded;
  switch (const ImageFormat format = require_format(source)) {
    case ImageFormat::jpeg:
      decoded = io::decode_jpeg(source);
      break;
    case ImageFormat::png:
      decoded = io::decode_png(source);
      break;
    case ImageFormat::tiff:
      decoded = io::decode_tiff(source);
      break;
    case ImageFormat::bmp:
    case ImageFormat::pnm:
      decoded = io::decode_simple(source, format);
      break;
  }
  return io::to_form(io::apply_orientation(std::move(decoded.image), decoded.orientation),
                     options.form);
}

Image read_image(const std::string& path, const ImageOptions& options) {
  return decode_image(read_file(path, max_image_file_bytes), path, options);
}

Image image_of(const float* rgb, const float* mask, int64_t height, int64_t width) {
  Image out(height, width, 3);
  for (size_t k = 0; k < out.pixels.size(); ++k) {
    const float v = rgb[k] * (mask ? mask[k / 3] : 1);
    out.pixels[k] = v > 0 ? static_cast<uint8_t>(std::lround(255 * std::min(v, 1.0f))) : 0;
  }
  return out;
}

}  // namespace cytograd
