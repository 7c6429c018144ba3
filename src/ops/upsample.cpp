#include "cytograd/ops/upsample.h"

#include "cytograd/autograd/record.h"
#include "cytograd/core/pair.h"
#include "kernels/upsample.h"

namespace cytograd {
namespace {

using kernels::TapAxis;
using kernels::Taps;

void check_arguments(const char* op, const Tensor& x, int64_t height, int64_t width) {
  check<ShapeError>(x.ndim() == 4, op, "input expects [N, H, W, C], got ", x.shape());
  check<ShapeError>(x.size(1) >= 1 && x.size(2) >= 1, op, "input expects at least one pixel, got ",
                    x.shape());
  check<DtypeError>(is_floating(x.dtype()), op, "input expects a floating dtype, got ", x.dtype());
  check<ValueError>(height >= 1 && width >= 1, op, "output size must be >= 1, got ",
                    Pair(height, width));
}

Tensor empty_output(const Tensor& x, const Taps& taps) {
  return Tensor::empty({x.size(0), static_cast<int64_t>(taps.rows.size()),
                        static_cast<int64_t>(taps.columns.size()), x.size(3)},
                       x.dtype(), x.device());
}

}  // namespace

Tensor upsample_nearest(const Tensor& x, int64_t height, int64_t width) {
  check_arguments("upsample_nearest", x, height, width);
  Taps taps(TapAxis{x.size(1), height}, TapAxis{x.size(2), width});
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
  const auto kind = align_corners ? TapAxis::Kind::align_corners : TapAxis::Kind::half_pixel;
  Taps taps(TapAxis{x.size(1), height, kind}, TapAxis{x.size(2), width, kind});
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
