#pragma once

#include <png.h>

#include <csetjmp>
#include <cstdint>
#include <string>
#include <vector>

#include "io/image_codecs.h"

namespace cytograd::io {

/// Reads one PNG by rows through its end chunk; damaged checksums of any chunk are errors.
///
/// libpng reports by longjmp, which skips destructors: the steps that call it hold no C++ objects.
class PngReader {
 public:
  enum class Samples { eight_bit, as_stored };

  explicit PngReader(const ImageSource& source) : source_(source) {}
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Everything up to the first IDAT; checks the size. @throws DataError
  ImageInfo header();
  /// After `header`. Rows of `row_bytes()`, top to bottom.
  std::vector<uint8_t> rows(Samples samples);
  size_t row_bytes() const { return row_bytes_; }
  /// Channels and bits per sample of the rows.
  int channels() const { return channels_; }
  int bits() const { return bits_; }

 private:
  static void on_error(png_structp png, png_const_charp message);
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, size_t bytes);
  bool read_info();
  bool start_rows(Samples samples);
  bool read_rows(uint8_t* pixels, png_bytep* row_pointers);
  [[noreturn]] void fail() const;

  const ImageSource& source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_{};
  std::string message_;
  size_t position_ = 0, row_bytes_ = 0;
  int channels_ = 0, bits_ = 8;
  bool ended_ = false;
};

}  // namespace cytograd::io
