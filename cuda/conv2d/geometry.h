#pragma once

#include "cuda/gemm/run.cuh"
#include "cuda/gemm/tile_sets.h"
#include "cuda/hopper/hopper.h"
#include "kernels/conv2d.h"
#include "kernels/conv_taps.h"

/// @file
/// Convolutions as matrix products (docs/ops/conv2d.md): what the three passes share on the host.

namespace cytograd::cuda::inline CYTOGRAD_NS {

using kernels::Conv2dShape;

/// What the filters see of the input at every output pixel, in one group.
inline PatchGeometry input_patches(const Conv2dShape& s) {
  constexpr const char* op = "conv2d";
  PatchGeometry g{};
  g.height = checked_int(op, s.h);
  g.width = checked_int(op, s.w);
  g.pitch = checked_int(op, s.x_pitch_or_packed());
  g.pixels = checked_int(op, s.n * s.out_h() * s.out_w());
  checked_int(op, s.n * s.h * s.w);
  g.taps = checked_int(op, s.kh * s.kw * (s.c_in / s.groups));
  g.step_h = checked_int(op, s.stride_h);
  g.step_w = checked_int(op, s.stride_w);
  g.origin_h = -checked_int(op, s.pad_h);
  g.origin_w = -checked_int(op, s.pad_w);
  g.tap_step_h = checked_int(op, s.dilation_h);
  g.tap_step_w = checked_int(op, s.dilation_w);
  g.grid_hw = Divisor(s.out_h() * s.out_w());
  g.grid_w = Divisor(s.out_w());
  g.channels = Divisor(s.c_in / s.groups);
  g.taps_w = Divisor(s.kw);
  return g;
}

/// The groups as a batch: elements from one group to the next.
inline Batch groups_of(const Conv2dShape& s, int64_t a, int64_t b, int64_t c, int64_t columns) {
  Batch batch;
  if (s.groups == 1) return batch;
  batch.count = checked_int("conv2d", s.groups);
  batch.axes = 1;
  batch.size[0] = batch.count;
  batch.a[0] = a;
  batch.b[0] = b;
  batch.c[0] = c;
  batch.columns = columns;
  return batch;
}

/// 16-byte copies of `channels` neighbouring elements of each pixel (or filter tap) are possible.
template <class T>
bool has_wide_channels(const T* data, int64_t channels, int64_t pitch) {
  return reinterpret_cast<uintptr_t>(data) % 16 == 0 && channels % per_chunk<T> == 0 &&
         pitch % per_chunk<T> == 0;
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
