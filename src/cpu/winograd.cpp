#include "cpu/winograd.h"

#include <algorithm>

#include "core/isa.h"
#include "cpu/gemm_driver.h"
#include "cpu/winograd_tiles.h"

namespace cytograd::cpu {
namespace {

using kernels::Conv2dShape;

// Tiles [begin, end) of one task: their transforms, the 36 products, and back.
class TileBlock {
 public:
  TileBlock(const Conv2dShape& s, const WinogradTiles& tiles, int64_t begin, int64_t end)
      : s_(s),
        tiles_(tiles),
        begin_(begin),
        count_(end - begin),
        v_stride_(winograd_stride(count_ * s.c_in)),
        m_stride_(winograd_stride(count_ * s.c_out)) {
    v_ = scratch<float>(Scratch::block_a, winograd_places * v_stride_);
    m_ = scratch<float>(Scratch::partial, winograd_places * m_stride_);
  }

  // Of tiles [first, last) of the block.
  void read(const float* x, int64_t first, int64_t last) const {
    for (int64_t t = first; t < last; ++t) {
      simd::WinogradInput tile = winograd_input_of(s_, tiles_.place(begin_ + t), x);
      tile.v = v_ + t * s_.c_in;
      tile.v_stride = v_stride_;
      winograd_table().input(tile);
    }
  }

  // The products of places [first_place, last_place); scratch is that of the thread that calls.
  void multiply(const simd::GemmKernels<float>& f, const float* filters, int64_t first_place,
                int64_t last_place) const {
    float** rows = scratch<float*>(Scratch::rows, count_);
    const int64_t parts = ceil_div(count_, f.panel_rows), panels = ceil_div(s_.c_out, f.panel_cols);
    auto* groups = scratch<simd::RowGroup<float>>(Scratch::groups, parts);
    const WinogradDepth depth(s_.c_in);
    const int64_t u_stride = winograd_stride(depth.blocks * panels * depth.block * f.panel_cols);
    for (int64_t place = first_place; place < last_place; ++place) {
      for (int64_t t = 0; t < count_; ++t) rows[t] = m_ + place * m_stride_ + t * s_.c_out;
      for (int64_t b = 0; b < depth.blocks; ++b) {
        const int64_t k = b * depth.block;
        simd::Product<float> product{};
        product.depth = std::min(depth.block, s_.c_in - k);
        for (int64_t g = 0; g < parts; ++g) {
          const int64_t first = g * count_ / parts, last = (g + 1) * count_ / parts;
          groups[g] = {v_ + place * v_stride_ + first * s_.c_in + k, last - first};
        }
        product.groups = groups;
        product.group_count = parts;
        product.row_stride = s_.c_in;
        product.segments = 1;
        product.segment_depth = product.depth;
        product.c_rows = rows;
        product.accumulate = b > 0;
        for (int64_t p = 0; p < panels; ++p) {
          product.c_col = p * f.panel_cols;
          product.cols = std::min(f.panel_cols, s_.c_out - product.c_col);
          product.b = filters + place * u_stride + (b * panels + p) * depth.block * f.panel_cols;
          const int64_t size = depth.block * f.panel_cols;
          fetch_packed(product.b + size, size, product);
          f.multiply(product);
        }
      }
    }
  }

  void write(float* y, bool accumulate, const kernels::Epilogue<float>& epilogue, int64_t first,
             int64_t last) const {
    const int64_t pitch = s_.y_pitch_or_packed(), oh = s_.out_h(), ow = s_.out_w();
    for (int64_t t = first; t < last; ++t) {
      const auto [n, i, j] = tiles_.place(begin_ + t);
      winograd_table().output(
          {.m = m_ + t * s_.c_out,
           .m_stride = m_stride_,
           .y = y + ((n * oh + i * winograd_tile) * ow + j * winograd_tile) * pitch,
           .row_stride = ow * pitch,
           .pixel_stride = pitch,
           .rows = winograd_extent(oh, i),
           .cols = winograd_extent(ow, j),
           .channels = s_.c_out,
           .accumulate = accumulate,
           .bias = epilogue.bias,
           .relu = epilogue.relu});
    }
  }

 private:
  const Conv2dShape& s_;
  const WinogradTiles& tiles_;
  int64_t begin_, count_, v_stride_, m_stride_;
  float *v_, *m_;
};

}  // namespace

const simd::WinogradTable& winograd_table() { return CYTOGRAD_OF_ISA(simd::winograd); }

bool winograd_pays(const Conv2dShape& s) {
  const bool form = s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 &&
                    s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1 && s.pad_h <= 2 &&
                    s.pad_w <= 2;
  // Few tiles read the 36/9 times larger filters for little work, from memory if there are many.
  const int64_t least = s.c_in * s.c_out <= 256 * 256 ? 16 : 28;
  return form && s.c_in >= 16 && s.c_out >= 16 && WinogradTiles(s).count >= least;
}

void winograd_forward(const Conv2dShape& s, const float* x, const Tensor& filters, float* y,
                      bool accumulate, const kernels::Epilogue<float>& epilogue) {
  const WinogradTiles tiles(s);
  const simd::GemmKernels<float>& f = gemm_kernels<float>();
  const float* const u = filters.data<float>();
  // Few tiles are one block, and threads share the places: each reads its part of the filters once.
  constexpr int64_t few = 64;
  if (tiles.count <= few) {
    const TileBlock whole(s, tiles, 0, tiles.count);
    parallel_for(tiles.count, 4, [&](int64_t begin, int64_t end) { whole.read(x, begin, end); });
    parallel_for(winograd_places, 6,
                 [&](int64_t begin, int64_t end) { whole.multiply(f, u, begin, end); });
    parallel_for(tiles.count, 4, [&](int64_t begin, int64_t end) {
      whole.write(y, accumulate, epilogue, begin, end);
    });
    return;
  }
  // Transforms of a block stay in the second-level cache, but a block is worth two rows of tiles of
  // the register kernel. Tiles are independent, so their grouping changes no bits.
  constexpr int64_t cache = 192 << 10;  // elements
  const int64_t fitting = cache / (winograd_places * (s.c_in + s.c_out));
  int64_t block = std::clamp<int64_t>(fitting, 2 * f.panel_rows, 8 * f.panel_rows);
  block = std::min(block, ceil_div(tiles.count, num_threads()));
  const int64_t blocks = ceil_div(tiles.count, block);
  parallel_for(blocks, 1, [&](int64_t index, int64_t) {
    const int64_t begin = index * tiles.count / blocks, end = (index + 1) * tiles.count / blocks;
    const TileBlock part(s, tiles, begin, end);
    part.read(x, 0, end - begin);
    part.multiply(f, u, 0, winograd_places);
    part.write(y, accumulate, epilogue, 0, end - begin);
  });
}

void winograd_backward_data(const Conv2dShape& s, const float* dy, const float* weight, float* dx) {
  const Conv2dShape transposed{.n = s.n,
                               .h = s.out_h(),
                               .w = s.out_w(),
                               .c_in = s.c_out,
                               .c_out = s.c_in,
                               .kh = s.kh,
                               .kw = s.kw,
                               .pad_h = s.kh - 1 - s.pad_h,
                               .pad_w = s.kw - 1 - s.pad_w};
  winograd_forward(transposed, dy, pack_winograd_backward(s, weight), dx, false, {});
}

}  // namespace cytograd::cpu
