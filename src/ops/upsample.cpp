#include "cytograd/ops/upsample.h"

#include <cmath>

#include "cytograd/autograd/record.h"
#include "cytograd/core/pair.h"
#include "kernels/upsample.h"

namespace cytograd {
namespace {

using kernels::Tap;
using kernels::Taps;

void check_arguments(const char* op, const Tensor& x, int64_t height, int64_t width) {
  check<ShapeError>(x.ndim() == 4, op, "input expects [N, H, W, C], got ", x.shape());
  check<ShapeError>(x.size(1) >= 1 && x.size(2) >= 1, op, "input expects at least one pixel, got ",
                    x.shape());
  check<DtypeError>(is_floating(x.dtype()), op, "input expects a floating dtype, got ", x.dtype());
  check<ValueError>(height >= 1 && width >= 1, op, "output size must be >= 1, got ",
                    Pair(height, width));
}

std::vector<Tap> nearest_taps(int64_t in, int64_t out) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < out; ++i) taps.push_back({i * in / out, i * in / out, 0});
  return taps;
}

std::vector<Tap> bilinear_taps(int64_t in, int64_t out, bool align_corners) {
  std::vector<Tap> taps;
  for (int64_t i = 0; i < out; ++i) {
    double at = 0;
    if (!align_corners)
      at = std::max(
          (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5,
          0.0);
    else if (out > 1)
      at = static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
    const int64_t low = std::min(static_cast<int64_t>(at), in - 1);
    taps.push_back({low, std::min(low + 1, in - 1), at - static_cast<double>(low)});
  }
  return taps;
}

Tensor empty_output(const Tensor& x, const Taps& taps) {
  return Tensor::empty({x.size(0), static_cast<int64_t>(taps.rows.size()),
                        static_cast<int64_t>(taps.columns.size()), x.size(3)},
                       x.dtype(), x.device());
}

}  // namespace

Tensor upsample_nearest(const Tensor& x, int64_t height, int64_t width) {
  check_arguments("upsample_nearest", x, height, width);
  Taps taps{nearest_taps(x.size(1), height), nearest_taps(x.size(2), width)};
  const Tensor xp = x.detach().contiguous(), y = empty_output(x, taps);
  on_device(x, [&](auto ctx) { kernels::upsample_nearest(ctx, xp, taps, y); });
  return record("upsample_nearest", {x}, y, {}, std::move(taps),
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    kernels::upsample_nearest_backward(ctx, dy.contiguous(), back.params, dx);
                  });
                  return {dx};
                });
}

Tensor upsample_bilinear(const Tensor& x, int64_t height, int64_t width, bool align_corners) {
  check_arguments("upsample_bilinear", x, height, width);
  Taps taps{bilinear_taps(x.size(1), height, align_corners),
            bilinear_taps(x.size(2), width, align_corners)};
  const Tensor xp = x.detach().contiguous(), y = empty_output(x, taps);
  on_device(x, [&](auto ctx) { kernels::upsample_bilinear(ctx, xp, taps, y); });
  return record("upsample_bilinear", {x}, y, {}, std::move(taps),
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    kernels::upsample_bilinear_backward(ctx, dy.contiguous(), back.params, dx);
                  });
                  return {dx};
                });
}

}  // namespace cytograd
