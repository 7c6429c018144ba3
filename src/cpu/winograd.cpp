#include "cpu/winograd.h"

#include <algorithm>

#include "core/isa.h"
#include "cpu/gemm_driver.h"
#include "cpu/simd/winograd_table.h"

namespace cytograd::cpu {
namespace {

using kernels::Conv2dShape;
using simd::max_depth;

constexpr int64_t kPlaces = 36;  // of a transformed tile, 6 x 6
constexpr int64_t kTile = 4;     // output pixels along a side

const simd::WinogradTable& table() { return CYTOGRAD_OF_ISA(simd::winograd); }

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Tiles {
  int64_t down, across, per_image, count;
  explicit Tiles(const Conv2dShape& s)
      : down(ceil_div(s.out_h(), kTile)),
        across(ceil_div(s.out_w(), kTile)),
        per_image(down * across),
        count(s.n * per_image) {}
};

// Blocks of c_in that one pass of the register tile takes.
struct Depth {
  int64_t blocks, block;
  explicit Depth(int64_t c_in) : blocks(ceil_div(c_in, max_depth)), block(ceil_div(c_in, blocks)) {}
};

// G w G^T with G = [1/4 0 0; -1/6 -1/6 -1/6; -1/6 1/6 -1/6; 1/24 1/12 1/6; 1/24 -1/12 1/6; 0 0 1].
void filter_line(const double (&w)[3], double (&out)[6]) {
  out[0] = w[0] / 4;
  out[1] = -(w[0] + w[1] + w[2]) / 6;
  out[2] = -(w[0] - w[1] + w[2]) / 6;
  out[3] = w[0] / 24 + w[1] / 12 + w[2] / 6;
  out[4] = w[0] / 24 - w[1] / 12 + w[2] / 6;
  out[5] = w[2];
}

void transform_filter(const float* w, int64_t tap_stride, float* to, int64_t place_stride) {
  double half[3][6];
  for (int j = 0; j < 3; ++j) {
    double column[3];
    for (int i = 0; i < 3; ++i) column[i] = static_cast<double>(w[(i * 3 + j) * tap_stride]);
    filter_line(column, half[j]);
  }
  for (int i = 0; i < 6; ++i) {
    const double row[3] = {half[0][i], half[1][i], half[2][i]};
    double out[6];
    filter_line(row, out);
    for (int j = 0; j < 6; ++j) to[(i * 6 + j) * place_stride] = static_cast<float>(out[j]);
  }
}

// Tiles [begin, end) of one task: their transforms, the 36 products, and back.
class TileBlock {
 public:
  TileBlock(const Conv2dShape& s, const Tiles& tiles, int64_t begin, int64_t end)
      : s_(s), tiles_(tiles), begin_(begin), count_(end - begin) {
    v_ = scratch<float>(Scratch::block_a, kPlaces * count_ * s.c_in);
    m_ = scratch<float>(Scratch::partial, kPlaces * count_ * s.c_out);
  }

  void read(const float* x) const {
    for (int64_t t = 0; t < count_; ++t) {
      const auto [n, i, j] = place(t);
      const int64_t top = i * kTile - s_.pad_h, left = j * kTile - s_.pad_w;
      const int64_t pitch = s_.x_pitch_or_packed();
      const auto clip = [](int64_t v) { return static_cast<int>(std::clamp<int64_t>(v, 0, 6)); };
      table().input({.x = x + ((n * s_.h + top) * s_.w + left) * pitch,
                     .row_stride = s_.w * pitch,
                     .pixel_stride = pitch,
                     .row_begin = clip(-top),
                     .row_end = clip(s_.h - top),
                     .col_begin = clip(-left),
                     .col_end = clip(s_.w - left),
                     .channels = s_.c_in,
                     .v = v_ + t * s_.c_in,
                     .v_stride = count_ * s_.c_in});
    }
  }

  void multiply(const simd::GemmKernels<float>& f, const float* filters) const {
    float** rows = scratch<float*>(Scratch::rows, count_);
    const int64_t parts = ceil_div(count_, f.panel_rows), panels = ceil_div(s_.c_out, f.panel_cols);
    auto* groups = scratch<simd::RowGroup<float>>(Scratch::groups, parts);
    const Depth depth(s_.c_in);
    for (int64_t place = 0; place < kPlaces; ++place) {
      for (int64_t t = 0; t < count_; ++t) rows[t] = m_ + (place * count_ + t) * s_.c_out;
      for (int64_t b = 0; b < depth.blocks; ++b) {
        const int64_t k = b * depth.block;
        simd::Product<float> product{};
        product.depth = std::min(depth.block, s_.c_in - k);
        for (int64_t g = 0; g < parts; ++g) {
          const int64_t first = g * count_ / parts, last = (g + 1) * count_ / parts;
          groups[g] = {v_ + (place * count_ + first) * s_.c_in + k, last - first};
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
          product.b =
              filters + ((place * depth.blocks + b) * panels + p) * depth.block * f.panel_cols;
          product.next_b = product.b + depth.block * f.panel_cols;
          f.multiply(product);
        }
      }
    }
  }

  void write(float* y, bool accumulate, const kernels::Epilogue<float>& epilogue) const {
    const int64_t pitch = s_.y_pitch_or_packed(), oh = s_.out_h(), ow = s_.out_w();
    for (int64_t t = 0; t < count_; ++t) {
      const auto [n, i, j] = place(t);
      table().output({.m = m_ + t * s_.c_out,
                      .m_stride = count_ * s_.c_out,
                      .y = y + ((n * oh + i * kTile) * ow + j * kTile) * pitch,
                      .row_stride = ow * pitch,
                      .pixel_stride = pitch,
                      .rows = static_cast<int>(std::min(kTile, oh - i * kTile)),
                      .cols = static_cast<int>(std::min(kTile, ow - j * kTile)),
                      .channels = s_.c_out,
                      .accumulate = accumulate,
                      .bias = epilogue.bias,
                      .relu = epilogue.relu});
    }
  }

 private:
  struct Place {
    int64_t n, i, j;
  };
  Place place(int64_t t) const {
    const int64_t tile = begin_ + t, in_image = tile % tiles_.per_image;
    return {tile / tiles_.per_image, in_image / tiles_.across, in_image % tiles_.across};
  }

  const Conv2dShape& s_;
  const Tiles& tiles_;
  int64_t begin_, count_;
  float *v_, *m_;
};

}  // namespace

bool winograd_pays(const Conv2dShape& s) {
  const bool form = s.kh == 3 && s.kw == 3 && s.stride_h == 1 && s.stride_w == 1 &&
                    s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1;
  // Few tiles read the 36/9 times larger filters for little work.
  return form && s.c_in >= 16 && s.c_out >= 16 && Tiles(s).count >= 28;
}

Tensor pack_winograd(const Conv2dShape& s, const float* weight) {
  const simd::GemmKernels<float>& f = gemm_kernels<float>();
  const Depth depth(s.c_in);
  const int64_t panels = ceil_div(s.c_out, f.panel_cols), panel = depth.block * f.panel_cols;
  Tensor out = Tensor::empty({kPlaces * depth.blocks * panels * panel});
  // One panel of all places at a time, so that the filters exist transformed but not packed for
  // that panel only.
  parallel_for(depth.blocks * panels, 1, [&](int64_t index, int64_t) {
    const int64_t k = index / panels * depth.block, col = index % panels * f.panel_cols;
    const int64_t ks = std::min(depth.block, s.c_in - k),
                  cols = std::min(f.panel_cols, s.c_out - col);
    float* u = scratch<float>(Scratch::block_a, kPlaces * cols * ks);
    for (int64_t co = 0; co < cols; ++co)
      for (int64_t c = 0; c < ks; ++c)
        transform_filter(weight + (col + co) * 9 * s.c_in + k + c, s.c_in, u + co * ks + c,
                         cols * ks);
    for (int64_t place = 0; place < kPlaces; ++place)
      f.transpose(out.data<float>() + (place * depth.blocks * panels + index) * panel, f.panel_cols,
                  u + place * cols * ks, ks, ks, cols, f.panel_cols);
  });
  return out;
}

void winograd_forward(const Conv2dShape& s, const float* x, const Tensor& filters, float* y,
                      bool accumulate, const kernels::Epilogue<float>& epilogue) {
  const Tiles tiles(s);
  const simd::GemmKernels<float>& f = gemm_kernels<float>();
  // Transforms of a block stay in the second-level cache, but a block is worth two rows of tiles of
  // the register kernel. Tiles are independent, so their grouping changes no bits.
  constexpr int64_t cache = 192 << 10;  // elements
  const int64_t fitting = cache / (kPlaces * (s.c_in + s.c_out));
  int64_t block = std::clamp<int64_t>(fitting, 2 * f.panel_rows, 8 * f.panel_rows);
  block = std::min(block, ceil_div(tiles.count, num_threads()));
  const int64_t blocks = ceil_div(tiles.count, block);
  parallel_for(blocks, 1, [&](int64_t index, int64_t) {
    const TileBlock part(s, tiles, index * tiles.count / blocks,
                         (index + 1) * tiles.count / blocks);
    part.read(x);
    part.multiply(f, filters.data<float>());
    part.write(y, accumulate, epilogue);
  });
}

}  // namespace cytograd::cpu
