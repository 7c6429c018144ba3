#include "cpu/gemm_driver.h"
#include "cpu/winograd.h"
#include "cpu/winograd_tiles.h"

namespace cytograd::cpu {
namespace {

using kernels::Conv2dShape;
using simd::max_depth;

constexpr int64_t kTaps = 9;
constexpr int64_t kRows = 16;  // of the depth, transformed together

// Transforms filters [depth][9 taps][cols]. `stage(f, tap, k, rows, col, cols, to)` writes those of
// one tap, rows [k, k + rows), as rows of one panel.
template <class Stage>
Tensor transform_filters(int64_t channels, int64_t cols, const Stage& stage) {
  const simd::GemmKernels<float>& f = gemm_kernels<float>();
  const WinogradDepth depth(channels);
  const int64_t panels = ceil_div(cols, f.panel_cols);
  const int64_t place = winograd_stride(depth.blocks * panels * depth.block * f.panel_cols);
  const Tensor out = Tensor::empty({winograd_places * place});
  float* u = out.data<float>();
  parallel_for(panels * ceil_div(channels, kRows), 1, [&](int64_t index, int64_t) {
    const int64_t p = index % panels, first = index / panels * kRows;
    const int64_t rows = std::min(kRows, channels - first), col = p * f.panel_cols;
    float* taps = scratch<float>(Scratch::panel_b, kTaps * kRows * f.panel_cols);
    for (int64_t tap = 0; tap < kTaps; ++tap)
      stage(f, tap, first, rows, col, std::min(f.panel_cols, cols - col),
            taps + tap * kRows * f.panel_cols);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t b = (first + r) / depth.block, k = (first + r) % depth.block;
      winograd_table().filter({.w = taps + r * f.panel_cols,
                               .tap_stride = kRows * f.panel_cols,
                               .channels = f.panel_cols,
                               .u = u + ((b * panels + p) * depth.block + k) * f.panel_cols,
                               .u_stride = place});
    }
  });
  return out;
}

}  // namespace

Tensor pack_winograd(const Conv2dShape& s, const float* weight) {
  const int64_t filter = kTaps * s.c_in;
  return transform_filters(s.c_in, s.c_out,
                           [&](const auto& f, int64_t tap, int64_t k, int64_t rows, int64_t col,
                               int64_t cols, float* to) {
                             f.transpose(to, f.panel_cols, weight + col * filter + tap * s.c_in + k,
                                         filter, rows, cols, f.panel_cols);
                           });
}

Tensor pack_winograd_backward(const Conv2dShape& s, const float* weight) {
  const int64_t filter = kTaps * s.c_in;
  return transform_filters(s.c_out, s.c_in,
                           [&](const auto& f, int64_t tap, int64_t k, int64_t rows, int64_t col,
                               int64_t cols, float* to) {
                             f.copy(to, f.panel_cols,
                                    weight + k * filter + (kTaps - 1 - tap) * s.c_in + col, filter,
                                    rows, cols, f.panel_cols);
                           });
}

}  // namespace cytograd::cpu
