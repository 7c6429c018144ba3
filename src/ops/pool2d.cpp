#include "cytograd/ops/pool2d.h"

#include "cytograd/autograd/record.h"
#include "kernels/pool2d.h"

namespace cytograd {
namespace {

using kernels::PoolAxis;
using kernels::PoolWindow;
using kernels::PoolWindows;

void check_input(const Tensor& x, const char* op) {
  check<ShapeError>(x.ndim() == 4, op, "input expects [N, H, W, C], got ", x.shape());
  check<DtypeError>(is_floating(x.dtype()), op, "input expects a floating dtype, got ", x.dtype());
}

PoolAxis sliding_windows(PoolAxis a, bool ceil_mode) {
  const int64_t room = a.size + 2 * a.padding - a.kernel;
  a.count = (room + (ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
  // A last window that starts beyond the image and its leading padding is dropped.
  if (ceil_mode && (a.count - 1) * a.stride >= a.size + a.padding) --a.count;
  return a;
}

PoolWindows windows_of(const Tensor& x, Pool2dOptions o, bool count_padding, const char* op) {
  check_input(x, op);
  if (o.stride == Pair(0)) o.stride = o.kernel;
  check<ValueError>(o.kernel.h >= 1 && o.kernel.w >= 1, op, "kernel must be >= 1, got ", o.kernel);
  check<ValueError>(o.stride.h >= 1 && o.stride.w >= 1, op, "stride must be >= 1, got ", o.stride);
  check<ValueError>(o.padding.h >= 0 && o.padding.w >= 0 && 2 * o.padding.h <= o.kernel.h &&
                        2 * o.padding.w <= o.kernel.w,
                    op, "padding must be in 0..kernel/2, got ", o.padding, " for kernel ",
                    o.kernel);
  const PoolAxis rows{x.size(1), 0, o.kernel.h, o.stride.h, o.padding.h, count_padding},
      columns{x.size(2), 0, o.kernel.w, o.stride.w, o.padding.w, count_padding};
  for (const PoolAxis& a : {rows, columns})
    check<ShapeError>(a.size >= 1 && a.size + 2 * a.padding >= a.kernel, op, "kernel ", o.kernel,
                      " is larger than the padded input ", x.shape(), "; padding is ", o.padding);
  return {sliding_windows(rows, o.ceil_mode), sliding_windows(columns, o.ceil_mode)};
}

PoolWindows adaptive_windows(const Tensor& x, int64_t height, int64_t width, const char* op) {
  check_input(x, op);
  check<ValueError>(height >= 1 && width >= 1, op, "output size must be >= 1, got ",
                    Pair(height, width));
  check<ShapeError>(x.size(1) >= 1 && x.size(2) >= 1, op, "input expects at least one pixel, got ",
                    x.shape());
  return {PoolAxis{x.size(1), height}, PoolAxis{x.size(2), width}};
}

Tensor empty_output(const Tensor& x, const PoolWindows& windows, Dtype dtype) {
  return Tensor::empty({x.size(0), static_cast<int64_t>(windows.rows.size()),
                        static_cast<int64_t>(windows.columns.size()), x.size(3)},
                       dtype, x.device());
}

int64_t largest(const std::vector<PoolWindow>& windows) {
  int64_t out = 0;
  for (const PoolWindow& w : windows) out = std::max(out, w.end - w.begin);
  return out;
}

Tensor max_pool(const char* op, const Tensor& x, PoolWindows windows) {
  const Tensor y = empty_output(x, windows, x.dtype());
  Tensor index;
  if (grad_enabled() && x.requires_grad())
    index = empty_output(
        x, windows,
        largest(windows.rows) * largest(windows.columns) <= 256 ? Dtype::uint8 : Dtype::int64);
  on_device(
      x, [&](auto ctx) { kernels::max_pool2d(ctx, x.detach().contiguous(), windows, y, index); });
  return record(op, {x}, y, Saved{index}, std::move(windows),
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    kernels::max_pool2d_backward(ctx, dy.contiguous(), back.saved[0], back.params,
                                                 dx);
                  });
                  return {dx};
                });
}

Tensor avg_pool(const char* op, const Tensor& x, PoolWindows windows) {
  const Tensor y = empty_output(x, windows, x.dtype());
  on_device(x, [&](auto ctx) { kernels::avg_pool2d(ctx, x.detach().contiguous(), windows, y); });
  return record(op, {x}, y, {}, std::move(windows),
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    kernels::avg_pool2d_backward(ctx, dy.contiguous(), back.params, dx);
                  });
                  return {dx};
                });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& options) {
  return max_pool("max_pool2d", x, windows_of(x, options, false, "max_pool2d"));
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& options, bool count_include_pad) {
  return avg_pool("avg_pool2d", x, windows_of(x, options, count_include_pad, "avg_pool2d"));
}

Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width) {
  const char* op = "adaptive_avg_pool2d";
  return avg_pool(op, x, adaptive_windows(x, height, width, op));
}

Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width) {
  const char* op = "adaptive_max_pool2d";
  return max_pool(op, x, adaptive_windows(x, height, width, op));
}

}  // namespace cytograd
