#include <png.h>

#include <csetjmp>
#include <new>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/image.h"
#include "cytograd/io/label_image.h"
#include "io/png_reader.h"

namespace cytograd {
namespace io {

ImageInfo probe_png(const ImageSource& source) { return PngReader(source).header(); }

Decoded decode_png(const ImageSource& source) {
  PngReader reader(source);
  const ImageInfo info = reader.header();
  Image image;
  image.pixels = reader.rows(PngReader::Samples::eight_bit);
  image.height = info.height;
  image.width = info.width;
  image.channels = reader.channels();
  return {std::move(image), 1};
}

namespace {

// Same rule as PngReader: nothing with a destructor in functions that libpng leaves by longjmp.
struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf jump{};
  std::string out;

  ~Writer() { png_destroy_write_struct(&png, &info); }
  static void on_error(png_structp png, png_const_charp) {
    std::longjmp(static_cast<Writer*>(png_get_error_ptr(png))->jump, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_write(png_structp png, png_bytep bytes, size_t size) {
    auto* self = static_cast<Writer*>(png_get_io_ptr(png));
    bool failed = false;
    try {
      self->out.append(reinterpret_cast<const char*>(bytes), size);
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    if (failed) png_error(png, "out of memory");
  }
  static void on_flush(png_structp) {}
};

struct Layout {
  int64_t height, width;
  int bits, color_type;
  size_t row_bytes;
};

bool write_rows(Writer& w, const Layout& layout, const uint8_t* pixels) {
  if (setjmp(w.jump)) return false;
  png_set_write_fn(w.png, &w, Writer::on_write, Writer::on_flush);
  png_set_IHDR(w.png, w.info, static_cast<png_uint_32>(layout.width),
               static_cast<png_uint_32>(layout.height), layout.bits, layout.color_type,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(w.png, w.info);
  for (int64_t y = 0; y < layout.height; ++y)
    png_write_row(w.png, pixels + static_cast<size_t>(y) * layout.row_bytes);
  png_write_end(w.png, nullptr);
  return true;
}

std::string encode(const Layout& layout, const uint8_t* pixels) {
  constexpr int64_t max_side = 1'000'000;  // libpng's own limit
  check<ValueError>(layout.height >= 1 && layout.width >= 1 && layout.height <= max_side &&
                        layout.width <= max_side,
                    "encode_png", "sides expect 1..", max_side, ", got ", layout.width, " x ",
                    layout.height);
  Writer w;
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, Writer::on_error, Writer::on_warning);
  if (w.png) w.info = png_create_info_struct(w.png);
  if (!w.info || !write_rows(w, layout, pixels)) throw std::bad_alloc();
  return std::move(w.out);
}

}  // namespace
}  // namespace io

std::string encode_png(const Image& image) {
  const int64_t c = image.channels;
  check<ValueError>(c == 1 || c == 3 || c == 4, "encode_png",
                    "image expects 1, 3 or 4 channels, got ", c);
  const int type = c == 1   ? PNG_COLOR_TYPE_GRAY
                   : c == 3 ? PNG_COLOR_TYPE_RGB
                            : PNG_COLOR_TYPE_RGB_ALPHA;
  return io::encode({image.height, image.width, 8, type, static_cast<size_t>(image.width * c)},
                    image.pixels.data());
}

void write_png(const std::string& path, const Image& image) {
  write_file_atomically(path, encode_png(image));
}

std::string encode_label_png(const LabelImage& image) {
  std::vector<uint8_t> big_endian;
  big_endian.reserve(image.labels.size() * 2);
  for (const uint32_t label : image.labels) {
    check<ValueError>(label <= 0xFFFF, "encode_label_png",
                      "a 16-bit PNG holds labels up to 65535, got ", label);
    big_endian.push_back(static_cast<uint8_t>(label >> 8));
    big_endian.push_back(static_cast<uint8_t>(label & 0xFF));
  }
  return io::encode(
      {image.height, image.width, 16, PNG_COLOR_TYPE_GRAY, static_cast<size_t>(image.width) * 2},
      big_endian.data());
}

void write_label_png(const std::string& path, const LabelImage& image) {
  write_file_atomically(path, encode_label_png(image));
}

LabelImage decode_label_png(std::string_view bytes, const std::string& name, int64_t max_pixels) {
  ImageOptions options;
  options.max_pixels = max_pixels;
  const io::ImageSource source{bytes, name, options};
  if (bytes.substr(0, 4) != "\x89PNG")
    throw DataError({"img.type", name, "", "file is not a PNG image", "a label image as PNG", ""});
  io::PngReader reader(source);
  const ImageInfo info = reader.header();
  if (info.channels != 1)
    io::throw_form(source, "label image with " + std::to_string(info.channels) + " channels",
                   "one channel of labels");
  const std::vector<uint8_t> rows = reader.rows(io::PngReader::Samples::as_stored);
  LabelImage out(info.height, info.width);
  for (size_t i = 0; i < out.labels.size(); ++i)
    out.labels[i] = reader.bits() == 16 ? uint32_t{rows[2 * i]} << 8 | rows[2 * i + 1] : rows[i];
  return out;
}

LabelImage read_label_png(const std::string& path) {
  return decode_label_png(read_file(path, max_image_file_bytes), path);
}

}  // namespace cytograd
