#pragma once

#include "cuda/conv2d/fusion.h"
#include "cuda/conv2d/geometry.h"

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// y[pixel, co] = sum over (tap, c) of patch[pixel, (tap, c)] w[co, (tap, c)]: rows are output
/// pixels.
template <class T>
using ForwardProblem = Problem<PatchSource<T>, MatrixSource<T>, T>;

template <class T>
ForwardProblem<T> forward_problem(const Conv2dShape& s, const T* x, const T* weight, T* y) {
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
  p.out.wide = is_wide<T>(y, p.out.pitch, c_out);
  return p;
}

/// 16-byte copies of both operands are possible.
template <class T>
bool has_wide_operands(const Conv2dShape& s, const ForwardProblem<T>& p) {
  const int64_t channels = s.c_in / s.groups;
  return has_wide_channels(p.a_data, channels, s.x_pitch_or_packed()) &&
         has_wide_channels(p.b_data, channels, channels);
}

/// Right operand as the left one is copied, but never mapped.
template <class Math, class T, Along along, Copy copy>
int run_forward(CudaContext ctx, const ForwardProblem<T>& p) {
  constexpr Copy filters = copy == Copy::mapped ? Copy::async : copy;
  return run<Math, Operand<PatchSource<T>, along, copy>, Operand<MatrixSource<T>, along, filters>>(
      "conv2d", ctx, p);
}

/// The kernel for the number of columns and the alignment. @return rows of tiles
template <class Set, bool mapped, class T = typename Set::Element>
int forward(CudaContext ctx, const Conv2dShape& s, const ForwardProblem<T>& p) {
  if constexpr (!elements_only<Set>) {
    if (has_wide_operands(s, p)) {
      if constexpr (mapped) {
        return p.n > 64
                   ? run_forward<typename Set::MappedWide, T, Along::depth, Copy::mapped>(ctx, p)
                   : run_forward<typename Set::MappedNarrow, T, Along::depth, Copy::mapped>(ctx, p);
      } else {
        if constexpr (std::is_same_v<T, bfloat16>)
          if (p.n > 64)
            if (const auto tiles = hopper_conv2d(ctx, p)) return *tiles;
        if (p.n > 64) return run_forward<typename Set::Wide, T, Along::depth, Copy::async>(ctx, p);
        if (p.n > 32)
          return run_forward<typename Set::Narrow, T, Along::depth, Copy::async>(ctx, p);
        return run_forward<typename Set::Slim, T, Along::depth, Copy::async>(ctx, p);
      }
    }
  }
  return run_forward<typename Set::Elements, T, Along::rows, Copy::elements>(ctx, p);
}

/// The convolution of `x` with all that `fusion` asks for; its map only if `mapped`.
template <bool mapped>
void forward_fused(CudaContext ctx, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                   const Tensor& y, const kernels::Conv2dFusion& fusion) {
  dispatch_tiles(x.dtype(), "conv2d", [&]<class Set>() {
    using T = typename Set::Element;
    auto p = forward_problem<T>(shape, x.data<T>(), weight.data<T>(), y.data<T>());
    if (fusion.bias.defined()) p.out.bias = fusion.bias.data<T>();
    if (fusion.residual.defined()) {
      p.out.residual = fusion.residual.data<T>();
      p.out.residual_pitch = shape.c_out;
      p.out.wide = p.out.wide && is_wide<T>(p.out.residual, shape.c_out, p.n);
    }
    p.out.relu = fusion.relu;
    p.out.accumulate = fusion.accumulate;
    if (mapped) p.a_map = {fusion.input_scale.data<float>(), fusion.input_shift.data<float>()};
    Tensor partial;
    if (fusion.mean.defined()) {
      const int64_t most_tiles = ceil_div(int64_t{p.m}, 64);
      partial = Tensor::empty(Shape{most_tiles, 2, shape.c_out}, Dtype::float32,
                              Device::cuda(ctx.device));
      p.sums.partial = partial.data<float>();
      p.sums.pitch = static_cast<int>(shape.c_out);
      if (fusion.shift.defined()) p.sums.shift = fusion.shift.data<float>();
    }
    const int tiles = forward<Set, mapped>(ctx, shape, p);
    if (partial.defined())
      launch("conv2d", finish_column_sums<8>, dim3(unsigned(ceil_div(shape.c_out, 32))), dim3(256),
             0, ctx, p.sums.pitch, tiles, static_cast<double>(p.m), p.sums,
             fusion.mean.data<float>(), fusion.variance.data<float>());
  });
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
