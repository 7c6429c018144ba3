// Patches of images fetched as rows of A or panels of B. Included by gemm.inl, whose copies it uses.
#include "cpu/simd/gemm_table.h"

namespace cytograd::simd {
namespace {

// A row of taps whose pixels touch each other is one run of taps_w * channels elements.
template <class T>
void gather_joined(T* to, const Patches<T>& p, const T* image, int64_t y0, int64_t x0,
                   int64_t tap_h, int64_t offset, int64_t cols) {
  const int64_t run = p.taps_w * p.channels;
  const int64_t inside_begin = -x0 * p.channels, inside_end = (p.width - x0) * p.channels;
  while (cols > 0) {
    const int64_t n = run - offset < cols ? run - offset : cols;
    const int64_t y = y0 + tap_h * p.tap_step_h;
    int64_t begin = offset, end = offset + n;  // the part of the run inside the image
    if (begin < inside_begin) begin = inside_begin < end ? inside_begin : end;
    if (end > inside_end) end = inside_end > begin ? inside_end : begin;
    if (y < 0 || y >= p.height) begin = end = offset;
    zero_run(to, begin - offset);
    if (begin < end)
      copy_run(to + begin - offset, image + ((y * p.width + x0) * p.pixel_stride + begin),
               end - begin);
    zero_run(to + end - offset, offset + n - end);
    to += n;
    cols -= n;
    offset = 0;
    ++tap_h;
  }
}

template <class T>
void gather_taps(T* to, const Patches<T>& p, const T* image, int64_t y0, int64_t x0, int64_t tap,
                 int64_t channel, int64_t cols) {
  while (cols > 0) {
    const int64_t n = p.channels - channel < cols ? p.channels - channel : cols;
    const int64_t y = y0 + tap / p.taps_w * p.tap_step_h;
    const int64_t x = x0 + tap % p.taps_w * p.tap_step_w;
    if (y >= 0 && y < p.height && x >= 0 && x < p.width)
      copy_run(to, image + (y * p.width + x) * p.pixel_stride + channel, n);
    else
      zero_run(to, n);
    to += n;
    cols -= n;
    channel = 0;
    ++tap;
  }
}

template <class T>
void gather(T* to, int64_t to_stride, const Patches<T>& p, int64_t row, int64_t rows, int64_t col,
            int64_t cols) {
  const bool joined = p.tap_step_w == 1 && p.channels == p.pixel_stride;
  const int64_t run = p.taps_w * p.channels;
  const int64_t tap_h = col / run, offset = col % run;
  const int64_t tap = col / p.channels, channel = col % p.channels;
  int64_t j = row % p.grid_w, i = row / p.grid_w % p.grid_h, n = row / p.grid_w / p.grid_h;
  for (int64_t r = 0; r < rows; ++r) {
    const T* image = p.data + n * p.height * p.width * p.pixel_stride;
    const int64_t y0 = i * p.step_h + p.origin_h, x0 = j * p.step_w + p.origin_w;
    T* out = to + r * to_stride;
    if (joined)
      gather_joined(out, p, image, y0, x0, tap_h, offset, cols);
    else
      gather_taps(out, p, image, y0, x0, tap, channel, cols);
    if (++j < p.grid_w) continue;
    j = 0;
    if (++i < p.grid_h) continue;
    i = 0;
    ++n;
  }
}

// Columns that lie in one tap, or one row of joined taps: then every pixel copies the same piece.
struct Piece {
  int64_t tap_h, tap_x, offset, cols;
};

template <class T>
Piece piece_at(const Patches<T>& p, bool joined, int64_t col, int64_t cols) {
  const int64_t unit = joined ? p.taps_w * p.channels : p.channels;
  const int64_t index = col / unit, offset = col % unit;
  const int64_t n = unit - offset < cols ? unit - offset : cols;
  if (joined) return {index, 0, offset, n};
  return {index / p.taps_w, index % p.taps_w * p.tap_step_w, offset, n};
}

// One piece of consecutive pixels of a grid row; `line` is the image row they read.
template <class T>
void gather_pixels(T* to, const Patches<T>& p, bool joined, const Piece& piece, const T* line,
                   int64_t x0, int64_t count) {
  const int64_t limit = p.width * p.pixel_stride;
  const int64_t cols = piece.cols;
  for (int64_t i = 0; i < count; ++i, to += panel_columns<T>) {
    const int64_t x = x0 + i * p.step_w + piece.tap_x;
    const int64_t begin = x * p.pixel_stride + piece.offset, end = begin + cols;
    if (joined ? begin >= 0 && end <= limit : x >= 0 && x < p.width) {
      if (cols == panel_columns<T>)
        copy_panel_row(to, line + begin);
      else
        copy_run(to, line + begin, cols);
    } else {
      zero_run(to, cols);
      const int64_t from = begin > 0 ? begin : 0, until = end < limit ? end : limit;
      if (joined && from < until) copy_run(to + from - begin, line + from, until - from);
    }
  }
}

template <class T>
void gather_panel(T* to, const Patches<T>& p, int64_t row, int64_t rows, int64_t col,
                  int64_t cols) {
  const bool joined = p.tap_step_w == 1 && p.channels == p.pixel_stride;
  for (int64_t done = 0; done < cols;) {
    const Piece piece = piece_at(p, joined, col + done, cols - done);
    int64_t j = row % p.grid_w, i = row / p.grid_w % p.grid_h, n = row / p.grid_w / p.grid_h;
    for (int64_t r = 0; r < rows;) {
      const int64_t count = p.grid_w - j < rows - r ? p.grid_w - j : rows - r;
      const int64_t y = i * p.step_h + p.origin_h + piece.tap_h * p.tap_step_h;
      T* out = to + r * panel_columns<T> + done;
      if (y >= 0 && y < p.height) {
        const T* line = p.data + (n * p.height + y) * p.width * p.pixel_stride;
        gather_pixels(out, p, joined, piece, line, j * p.step_w + p.origin_w, count);
      } else {
        for (int64_t q = 0; q < count; ++q) zero_run(out + q * panel_columns<T>, piece.cols);
      }
      r += count;
      j = 0;
      if (++i == p.grid_h) i = 0, ++n;
    }
    done += piece.cols;
  }
  if (cols == panel_columns<T>) return;
  for (int64_t r = 0; r < rows; ++r)
    zero_run(to + r * panel_columns<T> + cols, panel_columns<T> - cols);
}

}  // namespace
}  // namespace cytograd::simd
