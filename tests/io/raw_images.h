#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// @file
/// PNG and TIFF files put together byte by byte, so that tests can make any part of them wrong.

namespace raw {

inline std::string big32(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

inline std::string little(uint64_t v, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i));
  return out;
}

inline std::string png_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big32(static_cast<uint32_t>(data.size())) + body + big32(static_cast<uint32_t>(crc));
}

inline std::string deflate_all(const std::string& data) {
  std::string out(compressBound(data.size()), '\0');
  uLongf size = out.size();
  compress2(reinterpret_cast<Bytef*>(out.data()), &size,
            reinterpret_cast<const Bytef*>(data.data()), data.size(), 9);
  out.resize(size);
  return out;
}

/// @param rows the filter byte (0) and the samples of each row
inline std::string png(uint32_t width, uint32_t height, int bits, int color_type,
                       const std::string& rows, const std::string& extra = "", int interlace = 0) {
  const std::string header = big32(width) + big32(height) +
                             std::string{static_cast<char>(bits), static_cast<char>(color_type),
                                         '\0', '\0', static_cast<char>(interlace)};
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + extra +
         png_chunk("IDAT", deflate_all(rows)) + png_chunk("IEND", "");
}

/// A little-endian TIFF of one strip; `fields` are (tag, value) of type LONG in rising order,
/// before StripOffsets (273) and StripByteCounts (279) are put in their places. @param palette 768
/// values
inline std::string tiff(const std::vector<std::pair<int, uint32_t>>& fields,
                        const std::string& pixels, const std::string& palette = "") {
  std::string entries;
  int count = 0;
  const auto add = [&](int tag, uint32_t value) {
    entries +=
        little(static_cast<uint32_t>(tag), 2) + little(4, 2) + little(1, 4) + little(value, 4);
    ++count;
  };
  bool offset = false, bytes = false;
  for (const auto& [tag, value] : fields) {
    if (tag > 273 && !offset) add(273, 8), offset = true;
    if (tag > 279 && !bytes) add(279, static_cast<uint32_t>(pixels.size())), bytes = true;
    add(tag, value);
  }
  if (!offset) add(273, 8);
  if (!bytes) add(279, static_cast<uint32_t>(pixels.size()));
  const auto palette_at = static_cast<uint32_t>(8 + pixels.size());
  if (!palette.empty()) {
    entries += little(320, 2) + little(3, 2) + little(768, 4) + little(palette_at, 4);
    ++count;
  }
  return "II" + little(42, 2) + little(palette_at + static_cast<uint32_t>(palette.size()), 4) +
         pixels + palette + little(static_cast<uint32_t>(count), 2) + entries + little(0, 4);
}

}  // namespace raw
