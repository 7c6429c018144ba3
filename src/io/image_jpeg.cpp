#include <csetjmp>
#include <cstdio>  // before jpeglib.h, which uses FILE and size_t

#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>

#include "cytograd/io/file.h"
#include "io/image_codecs.h"

namespace cytograd {
namespace io {
namespace {

constexpr int max_scans = 500;  // a progressive file can ask for unbounded work by tiny scans

// libjpeg reports by longjmp, which skips destructors: functions that call it hold no C++ objects,
// and everything that must be released lives here.
struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error{};
  std::array<char, JMSG_LENGTH_MAX> message{};
  int code = 0;

  ~Decoder() { jpeg_destroy_decompress(&info); }
};

Decoder& decoder_of(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }

void stop(j_common_ptr info) {
  Decoder& decoder = decoder_of(info);
  decoder.code = info->err->msg_code;
  info->err->format_message(info, decoder.message.data());
  std::longjmp(decoder.on_error, 1);
}

void stop_on_warning(j_common_ptr info, int level) {
  if (level < 0) stop(info);
}

void limit_scans(j_common_ptr info) {
  if (info->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > max_scans)
    stop(info);
}

void start(Decoder& d) {
  d.info.err = jpeg_std_error(&d.errors);
  d.errors.error_exit = stop;
  d.errors.emit_message = stop_on_warning;
  d.info.client_data = &d;
}

bool read_header(Decoder& d, const unsigned char* data, size_t size) {
  if (setjmp(d.on_error)) return false;
  jpeg_create_decompress(&d.info);
  d.info.client_data = &d;
  d.progress.progress_monitor = limit_scans;
  d.info.progress = &d.progress;
  jpeg_mem_src(&d.info, data, static_cast<unsigned long>(size));
  jpeg_save_markers(&d.info, JPEG_APP0 + 1, 0xFFFF);
  return jpeg_read_header(&d.info, TRUE) == JPEG_HEADER_OK;
}

bool start_rows(Decoder& d, unsigned scale, J_COLOR_SPACE space) {
  if (setjmp(d.on_error)) return false;
  d.info.scale_num = 1;
  d.info.scale_denom = scale;
  d.info.out_color_space = space;
  d.info.dct_method = JDCT_ISLOW;  // exact in C and SIMD alike: the same pixels on every machine
  return jpeg_start_decompress(&d.info) == TRUE;
}

bool read_rows(Decoder& d, unsigned char* pixels, size_t row_bytes) {
  if (setjmp(d.on_error)) return false;
  while (d.info.output_scanline < d.info.output_height) {
    JSAMPROW row = pixels + row_bytes * d.info.output_scanline;
    jpeg_read_scanlines(&d.info, &row, 1);
  }
  return jpeg_finish_decompress(&d.info) == TRUE;
}

[[noreturn]] void throw_decoder_error(const ImageSource& source, const Decoder& d) {
  const size_t left = d.info.src ? d.info.src->bytes_in_buffer : source.bytes.size();
  const size_t at = source.bytes.size() - std::min(left, source.bytes.size());
  if (d.code == JWRN_JPEG_EOF || d.code == JERR_INPUT_EOF || d.code == JERR_INPUT_EMPTY)
    throw_truncated(source, "JPEG", source.bytes.size());
  if (d.info.input_scan_number > max_scans)
    throw DataError({"img.bomb", source.name, "", "JPEG of more than 500 scans", "",
                     "save it again as a baseline JPEG"});
  throw_corrupt(source, "byte " + std::to_string(at),
                "JPEG decoder reports: " + std::string(d.message.data()));
}

// Orientation in an APP1 EXIF block: a TIFF header and tag 0x0112 in its first folder.
int exif_orientation(const unsigned char* p, size_t n) {
  constexpr size_t tiff = 6;  // after "Exif\0\0"
  if (n < tiff + 8 || std::string_view(reinterpret_cast<const char*>(p), 4) != "Exif") return 1;
  const bool little = p[tiff] == 'I';
  const auto u16 = [&](size_t i) -> size_t {
    return little ? p[i] | p[i + 1] << 8 : p[i] << 8 | p[i + 1];
  };
  const auto u32 = [&](size_t i) -> size_t {
    return little ? u16(i) | u16(i + 2) << 16 : u16(i) << 16 | u16(i + 2);
  };
  const size_t folder = tiff + u32(tiff + 4);
  if (folder > n || n - folder < 2) return 1;
  const size_t entries = std::min(u16(folder), (n - folder - 2) / 12);
  for (size_t k = 0; k < entries; ++k) {
    const size_t entry = folder + 2 + 12 * k;
    const size_t value = u16(entry + 8);
    if (u16(entry) == 0x0112) return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int orientation_of(const Decoder& d) {
  for (const auto* marker = d.info.marker_list; marker; marker = marker->next) {
    const int value = exif_orientation(marker->data, marker->data_length);
    if (value != 1) return value;
  }
  return 1;
}

// Header and everything it alone can refuse.
ImageInfo header(Decoder& d, const ImageSource& source) {
  start(d);
  if (!read_header(d, source.data(), source.bytes.size())) throw_decoder_error(source, d);
  check_size(source, d.info.image_height, d.info.image_width);
  const J_COLOR_SPACE space = d.info.jpeg_color_space;
  if (space == JCS_CMYK || space == JCS_YCCK)
    throw_form(source, "CMYK JPEG, whose colours depend on a printing profile", "RGB or grey");
  if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB)
    throw_form(source,
               "JPEG of an unknown colour space with " + std::to_string(d.info.num_components) +
                   " components",
               "RGB or grey");
  ImageInfo info;
  info.format = ImageFormat::jpeg;
  info.height = d.info.image_height;
  info.width = d.info.image_width;
  info.channels = space == JCS_GRAYSCALE ? 1 : 3;
  info.orientation = orientation_of(d);
  return info;
}

// Huffman-coded data spends at least one bit on the DC value of each 8 x 8 block.
void check_justified(const Decoder& d, const ImageSource& source, const ImageInfo& info) {
  const int64_t blocks = (info.height / 8) * (info.width / 8);
  const auto bits = static_cast<int64_t>(source.bytes.size()) * 8;
  if (!d.info.arith_code && blocks > bits) throw_unjustified(source, info.height, info.width);
}

unsigned reduction(const ImageInfo& info, int64_t min_side) {
  unsigned scale = 1;
  if (min_side < 1) return scale;
  while (scale < 8 && std::min(info.height, info.width) / (2 * scale) >= min_side) scale *= 2;
  return scale;
}

}  // namespace

ImageInfo probe_jpeg(const ImageSource& source) {
  const auto d = std::make_unique<Decoder>();
  return header(*d, source);
}

Decoded decode_jpeg(const ImageSource& source) {
  const auto d = std::make_unique<Decoder>();
  const ImageInfo info = header(*d, source);
  check_justified(*d, source, info);
  const J_COLOR_SPACE space = info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  if (!start_rows(*d, reduction(info, source.options.min_side), space))
    throw_decoder_error(source, *d);
  Image image(d->info.output_height, d->info.output_width, info.channels);
  const auto row_bytes = static_cast<size_t>(image.width * image.channels);
  if (!read_rows(*d, image.pixels.data(), row_bytes)) throw_decoder_error(source, *d);
  return {std::move(image), info.orientation};
}

}  // namespace io

namespace {

struct Encoder {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf on_error{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  ~Encoder() {
    jpeg_destroy_compress(&info);
    std::free(bytes);  // jpeg_mem_dest allocates with malloc
  }
};

void stop_encoder(j_common_ptr info) {
  std::longjmp(static_cast<Encoder*>(info->client_data)->on_error, 1);
}

bool encode_rows(Encoder& e, const Image& image, int quality) {
  if (setjmp(e.on_error)) return false;
  jpeg_create_compress(&e.info);
  e.info.client_data = &e;
  jpeg_mem_dest(&e.info, &e.bytes, &e.size);
  e.info.image_height = static_cast<JDIMENSION>(image.height);
  e.info.image_width = static_cast<JDIMENSION>(image.width);
  e.info.input_components = static_cast<int>(image.channels);
  e.info.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&e.info);
  jpeg_set_quality(&e.info, quality, TRUE);
  e.info.dct_method = JDCT_ISLOW;
  if (quality >= 90) e.info.comp_info[0].h_samp_factor = e.info.comp_info[0].v_samp_factor = 1;
  jpeg_start_compress(&e.info, TRUE);
  while (e.info.next_scanline < e.info.image_height) {
    const int64_t y = e.info.next_scanline;
    JSAMPROW row = const_cast<unsigned char*>(image.at(y, 0));
    jpeg_write_scanlines(&e.info, &row, 1);
  }
  jpeg_finish_compress(&e.info);
  return true;
}

}  // namespace

std::string encode_jpeg(const Image& image, int quality) {
  check<ValueError>(image.channels == 1 || image.channels == 3, "encode_jpeg",
                    "image expects 1 or 3 channels, got ", image.channels);
  check<ValueError>(quality >= 1 && quality <= 100, "encode_jpeg", "quality expects 1..100, got ",
                    quality);
  check<ValueError>(image.height >= 1 && image.width >= 1 && image.height <= JPEG_MAX_DIMENSION &&
                        image.width <= JPEG_MAX_DIMENSION,
                    "encode_jpeg", "sides expect 1..", JPEG_MAX_DIMENSION, ", got ", image.width,
                    " x ", image.height);
  const auto e = std::make_unique<Encoder>();
  e->info.err = jpeg_std_error(&e->errors);
  e->errors.error_exit = stop_encoder;
  e->info.client_data = e.get();
  if (!encode_rows(*e, image, quality)) throw std::bad_alloc();  // nothing else can fail in memory
  return {reinterpret_cast<const char*>(e->bytes), e->size};
}

}  // namespace cytograd
