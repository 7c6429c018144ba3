#include "cpu/gemm_driver.h"
#include "cpu/winograd.h"
#include "cpu/winograd_tiles.h"

namespace cytograd::cpu {
namespace {

using kernels::Conv2dShape;

// The transposed algorithm: at each of the 36 places the transformed inputs and output gradients of
// all tiles are multiplied, [c_out, tiles] x [tiles, c_in], and the sums brought back to 9 taps.
// Tiles are taken in chunks that depend on the shape alone; their transforms lie in panels of
// channels, [place][panel][tile][channel], as the register tile reads both operands.
class WeightGradient {
 public:
  explicit WeightGradient(const Conv2dShape& s)
      : s_(s),
        f_(gemm_kernels<float>()),
        tiles_(s),
        chunk_(std::min(chunk_of(s), tiles_.count)),
        panels_in_(ceil_div(s.c_in, f_.panel_cols)),
        panels_out_(ceil_div(s.c_out, f_.panel_cols)),
        in_stride_(winograd_stride(panels_in_ * chunk_ * f_.panel_cols)),
        out_stride_(winograd_stride(panels_out_ * chunk_ * f_.panel_cols)),
        sum_stride_(winograd_stride(s.c_out * s.c_in)),
        inputs_(Tensor::zeros({winograd_places, in_stride_})),
        gradients_(Tensor::empty({winograd_places, out_stride_})),
        sums_(Tensor::empty({winograd_places, sum_stride_})) {}

  void run(const float* x, const float* dy, float* dw) {
    for (int64_t first = 0; first < tiles_.count; first += chunk_) {
      const int64_t count = std::min(chunk_, tiles_.count - first);
      parallel_for(count, 4, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) transform(tiles_.place(first + t), t, x, dy);
      });
      const int64_t parts = ceil_div(panels_out_, panels_at_once());
      parallel_for(winograd_places * parts, 1, [&](int64_t index, int64_t) {
        multiply(index / parts, index % parts * panels_at_once(), count, first > 0);
      });
    }
    finish(dw);
  }

 private:
  // Both transforms of a chunk are small, and a chunk is at most one block of depth.
  static int64_t chunk_of(const Conv2dShape& s) {
    constexpr int64_t cache = 512 << 10;  // elements
    return std::clamp<int64_t>(cache / (winograd_places * (s.c_in + s.c_out)), 64, simd::max_depth);
  }
  // A block of 128 output channels and a panel of inputs fit the second-level cache.
  int64_t panels_at_once() const { return std::max<int64_t>(128 / f_.panel_cols, 1); }

  void transform(const WinogradTiles::Place& at, int64_t t, const float* x, const float* dy) {
    const int64_t width = f_.panel_cols, oh = s_.out_h(), ow = s_.out_w();
    simd::WinogradInput input = winograd_input_of(s_, at, x);
    input.v_stride = in_stride_;
    for (int64_t p = 0; p < panels_in_; ++p, input.x += width) {
      input.channels = std::min(width, s_.c_in - p * width);
      input.v = inputs_.data<float>() + (p * chunk_ + t) * width;
      winograd_table().input(input);
    }
    const int64_t top = at.i * winograd_tile, left = at.j * winograd_tile;
    simd::WinogradOutputGradient output{.dy = dy + ((at.n * oh + top) * ow + left) * s_.c_out,
                                        .row_stride = ow * s_.c_out,
                                        .pixel_stride = s_.c_out,
                                        .rows = winograd_extent(oh, at.i),
                                        .cols = winograd_extent(ow, at.j),
                                        .channels = 0,
                                        .u = nullptr,
                                        .u_stride = out_stride_};
    for (int64_t p = 0; p < panels_out_; ++p, output.dy += width) {
      output.channels = std::min(width, s_.c_out - p * width);
      output.u = gradients_.data<float>() + (p * chunk_ + t) * width;
      winograd_table().output_gradient(output);
    }
  }

  // Sums of one place for the output channels of `panels_at_once` panels.
  void multiply(int64_t place, int64_t panel, int64_t depth, bool accumulate) {
    const int64_t width = f_.panel_cols, size = chunk_ * width, row = panel * width;
    const int64_t rows = std::min(panels_at_once() * width, s_.c_out - row);
    float** c_rows = scratch<float*>(Scratch::rows, rows);
    for (int64_t r = 0; r < rows; ++r)
      c_rows[r] = sums_.data<float>() + place * sum_stride_ + (row + r) * s_.c_in;
    const float* a = gradients_.data<float>() + place * out_stride_ + panel * size;
    simd::Product<float> product{};
    cut_panels(f_, rows, a, size, product);
    product.depth = depth;
    product.c_rows = c_rows;
    product.accumulate = accumulate;
    for (int64_t p = 0; p < panels_in_; ++p) {
      product.c_col = p * width;
      product.cols = std::min(width, s_.c_in - product.c_col);
      product.b = inputs_.data<float>() + place * in_stride_ + p * size;
      f_.multiply(product);
    }
  }

  void finish(float* dw) {
    parallel_for(s_.c_out, 4, [&](int64_t begin, int64_t end) {
      for (int64_t co = begin; co < end; ++co)
        winograd_table().filter_gradient({.m = sums_.data<float>() + co * s_.c_in,
                                          .m_stride = sum_stride_,
                                          .channels = s_.c_in,
                                          .dw = dw + co * s_.kh * s_.kw * s_.c_in,
                                          .tap_stride = s_.c_in});
    });
  }

  const Conv2dShape& s_;
  const simd::GemmKernels<float>& f_;
  WinogradTiles tiles_;
  int64_t chunk_, panels_in_, panels_out_, in_stride_, out_stride_, sum_stride_;
  Tensor inputs_, gradients_, sums_;
};

}  // namespace

void winograd_backward_weight(const Conv2dShape& s, const float* x, const float* dy, float* dw) {
  WeightGradient(s).run(x, dy, dw);
}

}  // namespace cytograd::cpu
