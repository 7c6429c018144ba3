#include "cuda/conv2d/depthwise.h"
#include "cuda/conv2d/fusion.h"
#include "cuda/conv2d/geometry.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"

/// @file
/// dw[co, (tap, c)] = sum over pixels of dy[pixel, co] patch[pixel, (tap, c)]: the depth is the
/// pixels of all images. It is long and the result small, so the depth is split and the parts are
/// added in order.

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

template <class T>
using WeightProblem = Problem<MatrixSource<T>, PixelSource<T>, T>;

template <class T>
WeightProblem<T> weight_problem(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  WeightProblem<T> p;
  p.b = {input_patches(s)};
  p.m = checked_int("conv2d", c_out);
  p.n = p.b.geometry.taps;
  p.k = p.b.geometry.pixels;
  p.a = {p.m, 1, s.y_pitch_or_packed()};
  p.a_data = dy;
  p.b_data = x;
  p.batch = groups_of(s, c_out, c_in, c_out * p.n, 0);
  p.out.data = dw;
  p.out.pitch = p.n;
  p.out.wide = is_wide<T>(dw, p.n, p.n);
  return p;
}

/// `copy` is how the input is copied; gradients are never mapped.
template <class Math, class T, Copy copy>
void run_weight(CudaContext ctx, const WeightProblem<T>& p) {
  constexpr Copy gradients = copy == Copy::mapped ? Copy::async : copy;
  run<Math, Operand<MatrixSource<T>, Along::rows, gradients>,
      Operand<PixelSource<T>, Along::rows, copy>>("conv2d backward", ctx, p);
}

template <class Set, class T = typename Set::Element>
void backward_weight(CudaContext ctx, const Conv2dShape& s, const WeightProblem<T>& p) {
  if constexpr (!elements_only<Set>) {
    if (has_wide_channels(p.a_data, s.c_out / s.groups, s.y_pitch_or_packed()) &&
        has_wide_channels(p.b_data, s.c_in / s.groups, s.x_pitch_or_packed())) {
      if (p.b_map.scale) return run_weight<typename Set::MappedWide, T, Copy::mapped>(ctx, p);
      if constexpr (std::is_same_v<T, bfloat16>)
        if (p.m > 64 && p.n > 64 && hopper_conv2d_backward_weight(ctx, p)) return;
      return p.m > 64 && p.n > 64 ? run_weight<typename Set::Wide, T, Copy::async>(ctx, p)
                                  : run_weight<typename Set::Small, T, Copy::async>(ctx, p);
    }
  }
  run_weight<typename Set::Elements, T, Copy::elements>(ctx, p);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::kernels {

void conv2d_backward_weight(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw) {
  if (dw.numel() == 0) return;
  if (cuda_kernels() == CudaKernels::vendor &&
      cuda::vendor::conv2d_backward_weight(ctx, shape, x, dy, dw))
    return;
  if (cuda::is_depthwise(shape)) return cuda::depthwise_backward_weight(ctx, shape, x, dy, dw);
  conv2d_backward_weight(ctx, shape, x, dy, dw, {}, {});
}

void conv2d_backward_weight(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw, const Tensor& input_scale,
                            const Tensor& input_shift) {
  if (dw.numel() == 0) return;
  check<ValueError>(!input_scale.defined() || shape.groups == 1, "conv2d backward",
                    "an input map has no groups");
  cuda::dispatch_tiles(dy.dtype(), "conv2d backward", [&]<class Set>() {
    using T = typename Set::Element;
    auto p = cuda::weight_problem<T>(shape, x.data<T>(), dy.data<T>(), dw.data<T>());
    if (input_scale.defined()) p.b_map = {input_scale.data<float>(), input_shift.data<float>()};
    cuda::backward_weight<Set>(ctx, shape, p);
  });
}

}  // namespace cytograd::kernels
