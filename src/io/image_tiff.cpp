#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "io/image_codecs.h"

namespace cytograd::io {
namespace {

// Read-only memory as the file that libtiff sees, and its first error message.
struct TiffFile {
  std::string_view bytes;
  uint64_t position = 0;
  bool past_end = false;
  std::string error;
  TIFF* tiff = nullptr;

  ~TiffFile() {
    if (tiff) TIFFClose(tiff);
  }
};

TiffFile& file_of(thandle_t handle) { return *static_cast<TiffFile*>(handle); }

tmsize_t read_bytes(thandle_t handle, void* out, tmsize_t count) {
  TiffFile& file = file_of(handle);
  const uint64_t left = file.bytes.size() - std::min<uint64_t>(file.position, file.bytes.size());
  const auto wanted = static_cast<uint64_t>(std::max<tmsize_t>(count, 0));
  const uint64_t n = std::min(left, wanted);
  if (n < wanted) file.past_end = true;
  if (n > 0) std::memcpy(out, file.bytes.data() + file.position, n);
  file.position += n;
  return static_cast<tmsize_t>(n);
}

tmsize_t write_bytes(thandle_t, void*, tmsize_t) { return -1; }

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  TiffFile& file = file_of(handle);
  if (whence == SEEK_SET) file.position = offset;
  if (whence == SEEK_CUR) file.position += offset;
  if (whence == SEEK_END) file.position = file.bytes.size() + offset;
  return file.position;
}

int close_nothing(thandle_t) { return 0; }
toff_t size_of_file(thandle_t handle) { return file_of(handle).bytes.size(); }
int map_nothing(thandle_t, void**, toff_t*) { return 0; }
void unmap_nothing(thandle_t, void*, toff_t) {}

int keep_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& file = *static_cast<TiffFile*>(user);
  char text[256];
  std::vsnprintf(text, sizeof text, format, arguments);
  if (file.error.empty()) file.error = text;
  return 1;
}

int ignore_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct Layout {
  ImageInfo info;
  uint16_t photometric = 0, planar = PLANARCONFIG_CONTIG, samples = 1;
  uint32_t chunk_height = 0, chunk_width = 0;  // of a strip or tile
  bool tiled = false;
};

// What is read: colours, or numbers of up to 32 bits.
enum class Use { pixels, labels };

[[noreturn]] void fail(const ImageSource& source, const TiffFile& file) {
  if (file.past_end) throw_truncated(source, "TIFF", source.bytes.size());
  throw_corrupt(source, "",
                "TIFF decoder reports: " +
                    (file.error.empty() ? std::string("not a readable TIFF") : file.error));
}

void open(TiffFile& file, const ImageSource& source) {
  file.bytes = source.bytes;
  const auto options = std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)>(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  // A strip may be as large as the largest image allowed at 8 bytes per pixel.
  TIFFOpenOptionsSetMaxSingleMemAlloc(
      options.get(), static_cast<tmsize_t>(source.options.max_pixels * 8 + (1 << 20)));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &file);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
  // m: no mapping; D: strip tables are read when used, after their length has been checked.
  file.tiff =
      TIFFClientOpenExt(source.name.c_str(), "rmD", &file, read_bytes, write_bytes, seek,
                        close_nothing, size_of_file, map_nothing, unmap_nothing, options.get());
  if (!file.tiff) fail(source, file);
}

// Refuses what cannot be converted without guessing.
void check_form(const ImageSource& source, const Layout& t, uint16_t sample_format, Use use) {
  const int bits = t.info.bits;
  if (use == Use::labels) {
    const bool index = t.photometric == PHOTOMETRIC_MINISBLACK ||
                       (t.photometric == PHOTOMETRIC_PALETTE && bits == 8);
    if (!index || t.samples != 1 || sample_format != SAMPLEFORMAT_UINT ||
        (bits != 8 && bits != 16 && bits != 32))
      throw_form(
          source,
          "TIFF of " + std::to_string(t.samples) + " samples of " + std::to_string(bits) + " bits",
          "one unsigned number of 8, 16 or 32 bits per pixel");
    return;
  }
  const bool grey =
      t.photometric == PHOTOMETRIC_MINISBLACK || t.photometric == PHOTOMETRIC_MINISWHITE;
  const bool color = t.photometric == PHOTOMETRIC_RGB || t.photometric == PHOTOMETRIC_YCBCR;
  const bool palette = t.photometric == PHOTOMETRIC_PALETTE;
  if (!grey && !color && !palette)
    throw_form(source, "TIFF of colour space number " + std::to_string(t.photometric),
               "grey, RGB or a palette");
  if (sample_format != SAMPLEFORMAT_UINT && sample_format != SAMPLEFORMAT_VOID)
    throw_form(source, "TIFF of signed or float samples", "unsigned samples");
  if (bits != 8 && bits != 16 && !(bits == 1 && grey && t.samples == 1))
    throw_form(source, "TIFF of " + std::to_string(bits) + " bits per sample", "1, 8 or 16 bits");
  if ((grey && t.samples > 2) || (color && t.samples != 3 && t.samples != 4) ||
      (palette && (t.samples != 1 || bits != 8)))
    throw_form(source, "TIFF of " + std::to_string(t.samples) + " samples per pixel",
               "1 or 2 grey, 3 or 4 colour samples");
}

Layout header(TiffFile& file, const ImageSource& source, Use use = Use::pixels) {
  TIFF* tiff = file.tiff;
  uint32_t width = 0, height = 0, rows = 0;
  uint16_t bits = 1, sample_format = SAMPLEFORMAT_UINT, compression = COMPRESSION_NONE,
           orientation = 1;
  Layout t;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
  check_size(source, height, width);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &t.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &sample_format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &t.planar);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
  if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &t.photometric))
    t.photometric = t.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
  t.info = {ImageFormat::tiff,
            height,
            width,
            t.samples,
            bits,
            t.photometric == PHOTOMETRIC_PALETTE,
            orientation >= 1 && orientation <= 8 ? orientation : 1};
  check_form(source, t, sample_format, use);
  if (t.photometric == PHOTOMETRIC_YCBCR) {
    if (compression != COMPRESSION_JPEG || t.planar != PLANARCONFIG_CONTIG)
      throw_form(source, "TIFF of YCbCr without JPEG compression", "RGB");
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  t.tiled = TIFFIsTiled(tiff) != 0;
  if (t.tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &t.chunk_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &t.chunk_height);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
    t.chunk_width = width;
    t.chunk_height = std::min(rows, height);
  }
  if (t.chunk_width == 0 || t.chunk_height == 0) throw_corrupt(source, "", "TIFF strip of no rows");
  return t;
}

// One decoded strip or tile of labels into its place; libtiff has set the byte order.
void place_labels(const Layout& t, const uint8_t* chunk, int64_t y0, int64_t x0, LabelImage& out) {
  const int64_t bytes = t.info.bits / 8;
  const int64_t rows = std::min<int64_t>(t.chunk_height, out.height - y0);
  const int64_t columns = std::min<int64_t>(t.chunk_width, out.width - x0);
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      const uint8_t* from = chunk + (y * t.chunk_width + x) * bytes;
      uint32_t& label = out.labels[static_cast<size_t>((y0 + y) * out.width + x0 + x)];
      if (bytes == 1) label = *from;
      if (bytes == 4) std::memcpy(&label, from, 4);
      if (bytes == 2) {
        uint16_t half;
        std::memcpy(&half, from, 2);
        label = half;
      }
    }
}

// One decoded strip or tile into its place. `first` is the sample it begins with, `step` how many
// samples it holds per pixel.
void place(const Layout& t, const uint8_t* chunk, int64_t y0, int64_t x0, int first, int step,
           Image& out) {
  const int64_t row_bytes = (static_cast<int64_t>(t.chunk_width) * step * t.info.bits + 7) / 8;
  const int64_t rows = std::min<int64_t>(t.chunk_height, out.height - y0);
  const int64_t columns = std::min<int64_t>(t.chunk_width, out.width - x0);
  for (int64_t y = 0; y < rows; ++y) {
    const uint8_t* row = chunk + y * row_bytes;
    for (int64_t x = 0; x < columns; ++x) {
      uint8_t* pixel = out.at(y0 + y, x0 + x) + first;
      for (int64_t s = 0; s < step; ++s) {
        const int64_t i = x * step + s;
        if (t.info.bits == 8) pixel[s] = row[i];
        if (t.info.bits == 1) pixel[s] = row[i / 8] >> (7 - i % 8) & 1 ? 255 : 0;
        if (t.info.bits == 16) {
          uint16_t v;  // libtiff has put it into the machine's byte order
          std::memcpy(&v, row + 2 * i, 2);
          pixel[s] = to_8_bit(v);
        }
      }
    }
  }
}

// A header may claim strips without end; the offsets of the real ones must fit into the file.
void check_chunks(const ImageSource& source, const Layout& t, uint64_t chunks, uint64_t bytes) {
  if (chunks > source.bytes.size()) throw_unjustified(source, t.info.height, t.info.width);
  const auto largest = static_cast<uint64_t>(source.options.max_pixels) * 8;
  if (bytes == 0 || bytes > largest) throw_unjustified(source, t.chunk_height, t.chunk_width);
}

// Calls put(chunk, y0, x0, plane) for every strip or tile.
template <class Put>
void read_chunks(TiffFile& file, const ImageSource& source, const Layout& t, Put put) {
  TIFF* tiff = file.tiff;
  const uint32_t chunks = t.tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  const auto chunk_bytes = static_cast<uint64_t>(
      std::max<tmsize_t>(t.tiled ? TIFFTileSize(tiff) : TIFFStripSize(tiff), 0));
  const bool separate = t.planar == PLANARCONFIG_SEPARATE && t.samples > 1;
  const int step = separate ? 1 : t.samples;
  const auto across = (static_cast<uint64_t>(t.info.width) + t.chunk_width - 1) / t.chunk_width;
  const auto down = (static_cast<uint64_t>(t.info.height) + t.chunk_height - 1) / t.chunk_height;
  const uint64_t row_bytes = (uint64_t{t.chunk_width} * step * t.info.bits + 7) / 8;
  check_chunks(source, t, chunks, chunk_bytes);
  if (chunks != across * down * (separate ? t.samples : 1) ||
      chunk_bytes < row_bytes * t.chunk_height)
    throw_corrupt(source, "", "TIFF strips or tiles do not add up to the image");
  std::vector<uint8_t> chunk(chunk_bytes);
  for (uint32_t k = 0; k < chunks; ++k) {
    const auto size = static_cast<tmsize_t>(chunk_bytes);
    const tmsize_t n = t.tiled ? TIFFReadEncodedTile(tiff, k, chunk.data(), size)
                               : TIFFReadEncodedStrip(tiff, k, chunk.data(), size);
    const uint64_t in_plane = k % (across * down);
    const auto y0 = static_cast<int64_t>(in_plane / across * t.chunk_height);
    const auto x0 = static_cast<int64_t>(in_plane % across * t.chunk_width);
    const int64_t rows = std::min<int64_t>(t.chunk_height, t.info.height - y0);
    // Some decoders return fewer bytes instead of an error; the last strip is rightly short.
    if (n < 0 || static_cast<uint64_t>(n) < row_bytes * static_cast<uint64_t>(rows))
      fail(source, file);
    put(chunk.data(), y0, x0, static_cast<int>(k / (across * down)));
  }
  if (!file.error.empty()) fail(source, file);
}

Image read_pixels(TiffFile& file, const ImageSource& source, const Layout& t) {
  const int step = t.planar == PLANARCONFIG_SEPARATE && t.samples > 1 ? 1 : t.samples;
  Image out;
  read_chunks(file, source, t, [&](const uint8_t* chunk, int64_t y0, int64_t x0, int plane) {
    // Allocated once the data proved real.
    if (out.pixels.empty()) out = Image(t.info.height, t.info.width, t.samples);
    place(t, chunk, y0, x0, plane, step, out);
  });
  return out;
}

Image expand_palette(TiffFile& file, const ImageSource& source, const Image& indices) {
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  if (!TIFFGetField(file.tiff, TIFFTAG_COLORMAP, &red, &green, &blue))
    throw_corrupt(source, "", "TIFF palette is missing");
  Image out(indices.height, indices.width, 3);
  for (size_t i = 0; i < indices.pixels.size(); ++i) {
    const uint8_t k = indices.pixels[i];
    out.pixels[3 * i] = to_8_bit(red[k]);
    out.pixels[3 * i + 1] = to_8_bit(green[k]);
    out.pixels[3 * i + 2] = to_8_bit(blue[k]);
  }
  return out;
}

}  // namespace

ImageInfo probe_tiff(const ImageSource& source) {
  TiffFile file;
  open(file, source);
  return header(file, source).info;
}

Decoded decode_tiff(const ImageSource& source) {
  TiffFile file;
  open(file, source);
  const Layout t = header(file, source);
  Image image = read_pixels(file, source, t);
  if (t.photometric == PHOTOMETRIC_MINISWHITE)
    for (size_t i = 0; i < image.pixels.size(); i += static_cast<size_t>(image.channels))
      image.pixels[i] = static_cast<uint8_t>(255 - image.pixels[i]);
  if (t.info.palette) image = expand_palette(file, source, image);
  return {std::move(image), t.info.orientation};
}

LabelImage decode_tiff_labels(const ImageSource& source) {
  TiffFile file;
  open(file, source);
  const Layout t = header(file, source, Use::labels);
  LabelImage out;
  read_chunks(file, source, t, [&](const uint8_t* chunk, int64_t y0, int64_t x0, int) {
    if (out.labels.empty()) out = LabelImage(t.info.height, t.info.width);
    place_labels(t, chunk, y0, x0, out);
  });
  return out;
}

}  // namespace cytograd::io
