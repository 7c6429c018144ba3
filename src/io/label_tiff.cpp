#include <zlib.h>

#include <algorithm>
#include <new>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "cytograd/io/label_image.h"
#include "io/image_codecs.h"

namespace cytograd {
namespace {

constexpr uint64_t largest = uint64_t{1} << 32;  // offsets in a TIFF have 32 bits

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

// An entry of the directory: SHORT (3) or LONG (4), one value.
void put_entry(std::string& out, uint16_t tag, uint16_t type, uint64_t value) {
  put(out, tag, 2);
  put(out, type, 2);
  put(out, 1, 4);
  put(out, value, 4);
}

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(static_cast<uLong>(bytes.size()));
  std::string out(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()),
                6) != Z_OK)
    throw std::bad_alloc();
  out.resize(size);
  return out;
}

}  // namespace

// TIFF 6.0: header, one strip, directory. Adobe deflate is compression 8.
std::string encode_label_tiff(const LabelImage& image) {
  const auto pixels = static_cast<uint64_t>(image.labels.size());
  check<ValueError>(image.height >= 1 && image.width >= 1 && pixels * 4 < largest - (1 << 20),
                    "encode_label_tiff", "expects 1 pixel to 4 GiB of them, got ", image.width,
                    " x ", image.height);
  std::string raw;
  raw.reserve(pixels * 4);
  for (const uint32_t label : image.labels) put(raw, label, 4);
  std::string strip = deflated(raw);
  const size_t strip_bytes = strip.size();
  if (strip.size() % 2 != 0) strip += '\0';  // directories begin at even offsets
  constexpr uint64_t header = 8;
  std::string out = "II";
  put(out, 42, 2);
  put(out, header + strip.size(), 4);
  out += strip;
  put(out, 10, 2);
  put_entry(out, 256, 4, static_cast<uint64_t>(image.width));
  put_entry(out, 257, 4, static_cast<uint64_t>(image.height));
  put_entry(out, 258, 3, 32);  // bits per sample
  put_entry(out, 259, 3, 8);   // compression
  put_entry(out, 262, 3, 1);   // 0 is black
  put_entry(out, 273, 4, header);
  put_entry(out, 277, 3, 1);  // samples per pixel
  put_entry(out, 278, 4, static_cast<uint64_t>(image.height));
  put_entry(out, 279, 4, strip_bytes);
  put_entry(out, 339, 3, 1);  // unsigned
  put(out, 0, 4);
  return out;
}

LabelImage decode_label_tiff(std::string_view bytes, const std::string& name, int64_t max_pixels) {
  const bool tiff = bytes.substr(0, 2) == "II" || bytes.substr(0, 2) == "MM";
  if (!tiff)
    throw DataError(
        {"img.type", name, "", "file is not a TIFF image", "a label image as TIFF", ""});
  ImageOptions options;
  options.max_pixels = max_pixels;
  return io::decode_tiff_labels({bytes, name, options});
}

LabelImage read_labels(const std::string& path) {
  const std::string bytes = read_file(path, max_image_file_bytes);
  const std::string head = bytes.substr(0, 2);
  return head == "II" || head == "MM" ? decode_label_tiff(bytes, path)
                                      : decode_label_png(bytes, path);
}

std::string write_labels(const std::string& stem, const LabelImage& image) {
  const auto top = std::max_element(image.labels.begin(), image.labels.end());
  const bool wide = top != image.labels.end() && *top > 0xFFFF;
  const std::string path = stem + (wide ? ".tif" : ".png");
  write_file_atomically(path, wide ? encode_label_tiff(image) : encode_label_png(image));
  return path;
}

}  // namespace cytograd
