#include "io/png_reader.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace cytograd::io {
namespace {

constexpr png_uint_32 max_side = 1u << 24;           // the product is checked on its own
constexpr size_t max_chunk_bytes = size_t{8} << 20;  // text and profiles
constexpr uint64_t max_deflate_ratio = 1032;         // what one deflate symbol can expand to

}  // namespace

void PngReader::on_error(png_structp png, png_const_charp message) {
  auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
  self->message_.assign(message);
  std::longjmp(self->jump_, 1);
}

void PngReader::on_read(png_structp png, png_bytep out, size_t bytes) {
  auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
  if (bytes > self->source_.bytes.size() - self->position_) {
    self->ended_ = true;
    png_error(png, "data ends early");
  }
  std::memcpy(out, self->source_.bytes.data() + self->position_, bytes);
  self->position_ += bytes;
}

void PngReader::fail() const {
  if (ended_) throw_truncated(source_, "PNG", source_.bytes.size());
  throw_corrupt(source_, "byte " + std::to_string(position_), "PNG decoder reports: " + message_);
}

bool PngReader::read_info() {
  if (setjmp(jump_)) return false;
  png_set_user_limits(png_, max_side, max_side);
  png_set_chunk_malloc_max(png_, max_chunk_bytes);
  png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_read_fn(png_, this, on_read);
  png_read_info(png_, info_);
  return true;
}

ImageInfo PngReader::header() {
  message_.reserve(256);  // so that the copy in on_error does not allocate
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
  if (png_) info_ = png_create_info_struct(png_);
  if (!info_) throw std::bad_alloc();
  // The size sits at a fixed place; checking it first names the fault better than libpng's limits.
  const unsigned char* p = source_.data();
  if (source_.bytes.size() >= 33 && std::memcmp(p + 12, "IHDR", 4) == 0)
    check_size(source_, png_get_uint_32(p + 20), png_get_uint_32(p + 16));
  if (!read_info()) fail();
  ImageInfo info;
  info.format = ImageFormat::png;
  info.height = png_get_image_height(png_, info_);
  info.width = png_get_image_width(png_, info_);
  check_size(source_, info.height, info.width);
  info.channels = png_get_channels(png_, info_);
  info.bits = png_get_bit_depth(png_, info_);
  info.palette = png_get_color_type(png_, info_) == PNG_COLOR_TYPE_PALETTE;
  return info;
}

bool PngReader::start_rows(Samples samples) {
  if (setjmp(jump_)) return false;
  if (samples == Samples::eight_bit) {
    png_set_expand(png_);  // palettes, 1-4 bit grey, transparent colours
    png_set_scale_16(png_);
  } else {
    png_set_packing(png_);  // 1-4 bit values, one per byte
  }
  png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  row_bytes_ = png_get_rowbytes(png_, info_);
  channels_ = png_get_channels(png_, info_);
  bits_ = png_get_bit_depth(png_, info_);
  return true;
}

bool PngReader::read_rows(uint8_t* pixels, png_bytep* row_pointers) {
  if (setjmp(jump_)) return false;
  const size_t height = png_get_image_height(png_, info_);
  for (size_t y = 0; y < height; ++y) row_pointers[y] = pixels + y * row_bytes_;
  png_read_image(png_, row_pointers);
  png_read_end(png_, nullptr);
  return true;
}

std::vector<uint8_t> PngReader::rows(Samples samples) {
  const auto height = static_cast<int64_t>(png_get_image_height(png_, info_));
  const auto width = static_cast<int64_t>(png_get_image_width(png_, info_));
  const uint64_t stored = static_cast<uint64_t>(height) *
                          ((static_cast<uint64_t>(width) * png_get_channels(png_, info_) *
                            png_get_bit_depth(png_, info_)) /
                           8);
  if (stored / max_deflate_ratio > source_.bytes.size()) throw_unjustified(source_, height, width);
  if (!start_rows(samples)) fail();
  std::vector<uint8_t> pixels(static_cast<size_t>(height) * row_bytes_);
  std::vector<png_bytep> row_pointers(static_cast<size_t>(height));
  if (!read_rows(pixels.data(), row_pointers.data())) fail();
  return pixels;
}

}  // namespace cytograd::io
