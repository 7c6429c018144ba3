// BMP by stb_image and PNM by a copy. Every other format of stb_image stays out of the build: its
// JPEG and PNG decoders crash on damaged files, and its 16-bit PNM swaps bytes.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_MAX_DIMENSIONS (1 << 24)
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "io/image_codecs.h"

namespace cytograd::io {
namespace {

constexpr size_t max_stb_bytes = size_t{1} << 30;  // lengths are int there

uint64_t little(const unsigned char* p, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; --i) value = value << 8 | p[i];
  return value;
}

// stb_image reads zeros past the end of a BMP, so the size is settled here first.
ImageInfo bmp_header(const ImageSource& source) {
  const unsigned char* p = source.data();
  const size_t size = source.bytes.size();
  if (size < 18 || size < 14 + little(p + 14, 4)) throw_truncated(source, "BMP", size);
  const uint64_t header = little(p + 14, 4), offset = little(p + 10, 4);
  const bool old = header == 12;
  if (!old && header != 40 && header != 56 && header != 108 && header != 124)
    throw_form(source, "BMP with a header of " + std::to_string(header) + " bytes",
               "a header of 12, 40, 56, 108 or 124 bytes");
  ImageInfo info;
  info.format = ImageFormat::bmp;
  info.width = static_cast<int64_t>(little(p + 18, old ? 2 : 4));
  const auto height = static_cast<int32_t>(little(p + (old ? 20 : 22), old ? 2 : 4));
  info.height = std::abs(static_cast<int64_t>(height));  // negative: rows from the top
  if (info.width > INT32_MAX) throw_corrupt(source, "byte 18", "image width is negative");
  const uint64_t depth = little(p + (old ? 24 : 28), 2);
  const uint64_t compression = old ? 0 : little(p + 30, 4);
  if (compression != 0 && compression != 3)
    throw_form(source, "compressed BMP (method " + std::to_string(compression) + ")",
               "uncompressed pixels");
  if (depth != 1 && depth != 4 && depth != 8 && depth != 16 && depth != 24 && depth != 32)
    throw_corrupt(source, "byte 28", "BMP of " + std::to_string(depth) + " bits per pixel");
  check_size(source, info.height, info.width);
  info.palette = depth <= 8;
  info.channels = info.palette ? 1 : depth == 32 ? 4 : 3;
  info.bits = info.palette ? static_cast<int>(depth) : 8;
  const uint64_t row = (static_cast<uint64_t>(info.width) * depth + 31) / 32 * 4;
  if (offset > size || row * static_cast<uint64_t>(info.height) > size - offset)
    throw_truncated(source, "BMP", size);
  return info;
}

struct PnmHeader {
  ImageInfo info;
  size_t pixels;  // offset
};

PnmHeader pnm_header(const ImageSource& source) {
  const std::string_view b = source.bytes;
  size_t i = 2;
  const auto number = [&]() -> int64_t {
    while (i < b.size() && (b[i] == '#' || b[i] == ' ' || (b[i] >= '\t' && b[i] <= '\r'))) {
      if (b[i] == '#')
        while (i < b.size() && b[i] != '\n' && b[i] != '\r') ++i;
      else
        ++i;
    }
    int64_t value = 0;
    const size_t first = i;
    for (; i < b.size() && b[i] >= '0' && b[i] <= '9'; ++i)
      value = std::min<int64_t>(value * 10 + (b[i] - '0'), INT32_MAX);
    if (i == b.size()) throw_truncated(source, "PNM", i);
    if (i == first) throw_corrupt(source, "byte " + std::to_string(i), "no number in PNM header");
    return value;
  };
  ImageInfo info;
  info.format = ImageFormat::pnm;
  info.width = number();
  info.height = number();
  const int64_t maximum = number();
  info.channels = b[1] == '5' ? 1 : 3;
  info.bits = maximum > 255 ? 16 : 8;
  check_size(source, info.height, info.width);
  if (maximum != 255 && maximum != 65535)
    throw_form(source, "PNM with maximum " + std::to_string(maximum), "255 or 65535");
  const auto bytes =
      static_cast<uint64_t>(info.width * info.height * info.channels * info.bits / 8);
  if (b.size() - i < bytes + 1) throw_truncated(source, "PNM", b.size());  // 1: the separator
  return {info, i + 1};
}

Decoded decode_pnm(const ImageSource& source) {
  const auto [info, offset] = pnm_header(source);
  Image image(info.height, info.width, info.channels);
  const unsigned char* p = source.data() + offset;
  if (info.bits == 8) {
    std::copy_n(p, image.pixels.size(), image.pixels.data());
  } else {
    for (size_t i = 0; i < image.pixels.size(); ++i)
      image.pixels[i] = to_8_bit(static_cast<unsigned>(p[2 * i] << 8 | p[2 * i + 1]));
  }
  return {std::move(image), 1};
}

}  // namespace

ImageInfo probe_simple(const ImageSource& source, ImageFormat format) {
  return format == ImageFormat::bmp ? bmp_header(source) : pnm_header(source).info;
}

Decoded decode_simple(const ImageSource& source, ImageFormat format) {
  if (format == ImageFormat::pnm) return decode_pnm(source);
  const ImageInfo info = bmp_header(source);
  if (source.bytes.size() > max_stb_bytes) throw_form(source, "BMP over 1 GiB", "a smaller one");
  int width = 0, height = 0, channels = 0;
  const auto pixels = std::unique_ptr<stbi_uc, void (*)(void*)>(
      stbi_load_from_memory(source.data(), static_cast<int>(source.bytes.size()), &width, &height,
                            &channels, 0),
      stbi_image_free);
  if (!pixels)
    throw_corrupt(source, "", std::string("BMP decoder reports: ") + stbi_failure_reason());
  if (width != info.width || height != info.height)
    throw_corrupt(source, "", "BMP header is ambiguous");
  Image image(height, width, channels);
  std::copy_n(pixels.get(), image.pixels.size(), image.pixels.data());
  return {std::move(image), 1};
}

}  // namespace cytograd::io
