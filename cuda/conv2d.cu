#include "cuda/conv2d/geometry.h"

/// @file
/// y[pixel, co] = sum over (tap, c) of patch[pixel, (tap, c)] w[co, (tap, c)]: rows are output
/// pixels.

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

template <class T>
using ForwardProblem = Problem<PatchSource<T>, MatrixSource<T>, T>;

template <class T>
ForwardProblem<T> forward_problem(const Conv2dShape& s, const T* x, const T* weight, const T* bias,
                                  T* y) {
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  ForwardProblem<T> p;
  p.a = {input_patches(s)};
  p.m = p.a.geometry.pixels;
  p.n = checked_int("conv2d", c_out);
  p.k = p.a.geometry.taps;
  p.b = {p.n, p.k, 1};
  p.a_data = x;
  p.b_data = weight;
  p.batch = groups_of(s, c_in, c_out * p.k, c_out, c_out);
  p.out.data = y;
  p.out.pitch = s.y_pitch_or_packed();
  p.out.bias = bias;
  p.out.wide = is_wide<T>(y, p.out.pitch, c_out);
  return p;
}

template <class Math, class T, Along along, Copy copy>
void run_forward(CudaContext ctx, const ForwardProblem<T>& p) {
  run<Math, Operand<PatchSource<T>, along, copy>, Operand<MatrixSource<T>, along, copy>>("conv2d",
                                                                                         ctx, p);
}

template <class Set, class T = typename Set::Element>
void forward(CudaContext ctx, const Conv2dShape& s, const ForwardProblem<T>& p) {
  if constexpr (!elements_only<Set>) {
    const int64_t channels = s.c_in / s.groups;
    if (has_wide_channels(p.a_data, channels, s.x_pitch_or_packed()) &&
        has_wide_channels(p.b_data, channels, channels)) {
      if (p.n > 64) return run_forward<typename Set::Wide, T, Along::depth, Copy::async>(ctx, p);
      if (p.n > 32) return run_forward<typename Set::Narrow, T, Along::depth, Copy::async>(ctx, p);
      return run_forward<typename Set::Slim, T, Along::depth, Copy::async>(ctx, p);
    }
  }
  run_forward<typename Set::Elements, T, Along::rows, Copy::elements>(ctx, p);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::kernels {

void conv2d_forward(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                    const Tensor& weight, const Tensor& bias, const Tensor& y) {
  if (y.numel() == 0) return;
  cuda::dispatch_tiles(x.dtype(), "conv2d", [&]<class Set>() {
    using T = typename Set::Element;
    cuda::forward<Set>(
        ctx, shape,
        cuda::forward_problem<T>(shape, x.data<T>(), weight.data<T>(),
                                 bias.defined() ? bias.data<T>() : nullptr, y.data<T>()));
  });
}

}  // namespace cytograd::kernels
