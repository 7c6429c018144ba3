#include "cuda/conv2d/depthwise.h"
#include "cuda/conv2d/fusion.h"
#include "cuda/conv2d/geometry.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"
#include "kernels/elementwise.h"

/// @file
/// dx[pixel, c] = sum over (tap, co) of dy[.., co] w[co, tap, c]. The pixels (first_h + i stride_h,
/// first_w + j stride_w) of one residue all see the same taps without gaps, so each residue is a
/// convolution of dy with stride 1: elements of dx are gathered, never scattered, and each is
/// written once. Pixels that no tap reaches are a product of depth 0, that is zeros.

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

using kernels::TapSequence;

template <class T>
using DataProblem = Problem<PatchSource<T>, FilterSource<T>, T>;

PatchGeometry gradient_patches(const Conv2dShape& s, const TapSequence& h, const TapSequence& w,
                               int64_t grid_h, int64_t grid_w) {
  constexpr const char* op = "conv2d";
  const int64_t c_out = s.c_out / s.groups;
  PatchGeometry g{};
  g.height = checked_int(op, s.out_h());
  g.width = checked_int(op, s.out_w());
  g.pitch = checked_int(op, s.y_pitch_or_packed());
  g.pixels = checked_int(op, s.n * grid_h * grid_w);
  checked_int(op, s.n * s.out_h() * s.out_w());
  g.taps = checked_int(op, h.count * w.count * c_out);
  g.step_h = g.step_w = 1;
  g.origin_h = static_cast<int>(h.origin);
  g.origin_w = static_cast<int>(w.origin);
  g.tap_step_h = static_cast<int>(h.output_step);
  g.tap_step_w = static_cast<int>(w.output_step);
  g.grid_hw = Divisor(grid_h * grid_w);
  g.grid_w = Divisor(grid_w);
  g.channels = Divisor(c_out);
  g.taps_w = Divisor(w.count);
  return g;
}

template <class T>
DataProblem<T> data_problem(const Conv2dShape& s, const T* dy, const T* weight, T* dx,
                            int64_t first_h, int64_t first_w) {
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  const TapSequence h = kernels::taps_reaching(first_h, s.kh, s.stride_h, s.pad_h, s.dilation_h);
  const TapSequence w = kernels::taps_reaching(first_w, s.kw, s.stride_w, s.pad_w, s.dilation_w);
  const int64_t grid_h = ceil_div(s.h - first_h, s.stride_h);
  const int64_t grid_w = ceil_div(s.w - first_w, s.stride_w);
  DataProblem<T> p;
  p.a = {gradient_patches(s, h, w, grid_h, grid_w)};
  p.m = p.a.geometry.pixels;
  p.n = checked_int("conv2d", c_in);
  p.k = p.a.geometry.taps;
  p.b.channels = p.n;
  p.b.kw = static_cast<int>(s.kw);
  p.b.filter = checked_int("conv2d", s.kh * s.kw * c_in);
  p.b.last_h = static_cast<int>(h.last);
  p.b.last_w = static_cast<int>(w.last);
  p.b.step_h = static_cast<int>(h.step);
  p.b.step_w = static_cast<int>(w.step);
  p.b.c_out = Divisor(c_out);
  p.b.taps_w = Divisor(w.count);
  p.a_data = dy;
  p.b_data = weight;
  p.batch = groups_of(s, c_out, c_out * p.b.filter, c_in, 0);
  p.out.data = dx;
  p.out.pitch = s.x_pitch_or_packed();
  p.out.wide = is_wide<T>(dx, p.out.pitch, c_in);
  if (s.stride_h > 1 || s.stride_w > 1) {
    p.out.grid = {.on = true,
                  .height = static_cast<int>(s.h),
                  .width = static_cast<int>(s.w),
                  .first_h = static_cast<int>(first_h),
                  .first_w = static_cast<int>(first_w),
                  .step_h = static_cast<int>(s.stride_h),
                  .step_w = static_cast<int>(s.stride_w),
                  .grid_hw = Divisor(grid_h * grid_w),
                  .grid_w = Divisor(grid_w)};
  }
  return p;
}

template <class Math, class T, Copy copy>
void run_data(CudaContext ctx, const DataProblem<T>& p) {
  constexpr Along dy_along = copy == Copy::elements ? Along::rows : Along::depth;
  run<Math, Operand<PatchSource<T>, dy_along, copy>, Operand<FilterSource<T>, Along::rows, copy>>(
      "conv2d backward", ctx, p);
}

template <class Set, class T = typename Set::Element>
void backward_data(CudaContext ctx, const Conv2dShape& s, const DataProblem<T>& p) {
  if constexpr (!elements_only<Set>) {
    const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
    if (has_wide_channels(p.a_data, c_out, s.y_pitch_or_packed()) &&
        has_wide_channels(p.b_data, c_in, c_in)) {
      if constexpr (std::is_same_v<T, bfloat16>)
        if (p.n > 64 && hopper_conv2d_backward_data(ctx, p)) return;
      p.n > 64 ? run_data<typename Set::Wide, T, Copy::async>(ctx, p)
               : run_data<typename Set::Narrow, T, Copy::async>(ctx, p);
      return;
    }
  }
  run_data<typename Set::Elements, T, Copy::elements>(ctx, p);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::kernels {

void conv2d_backward_data(CudaContext ctx, const Conv2dShape& s, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx, bool accumulate) {
  if (dx.numel() == 0) return;
  if (!accumulate && cuda_kernels() == CudaKernels::vendor &&
      cuda::vendor::conv2d_backward_data(ctx, s, dy, weight, dx))
    return;
  if (cuda::is_depthwise(s)) {
    const Tensor term = accumulate ? Tensor::empty_like(dx) : dx;
    cuda::depthwise_backward_data(ctx, s, dy, weight, term);
    return accumulate ? add_into(ctx, dx, term) : void();
  }
  cuda::dispatch_tiles(dy.dtype(), "conv2d backward", [&]<class Set>() {
    using T = typename Set::Element;
    for (int64_t i = 0; i < std::min(s.stride_h, s.h); ++i)
      for (int64_t j = 0; j < std::min(s.stride_w, s.w); ++j) {
        auto p = cuda::data_problem<T>(s, dy.data<T>(), weight.data<T>(), dx.data<T>(), i, j);
        if (accumulate && p.k == 0) continue;  // no tap reaches these pixels
        p.out.accumulate = accumulate;
        cuda::backward_data<Set>(ctx, s, p);
      }
  });
}

}  // namespace cytograd::kernels
