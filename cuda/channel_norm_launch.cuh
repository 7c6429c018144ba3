#pragma once

#include "cuda/channel_norm.cuh"
#include "cuda/core/launch.cuh"

/// @file
/// Launches of the passes of channel_norm.cuh: sizes of grids, memory between two passes.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// The pieces of `c` as rows, for join_pieces.
inline Columns pieces_of(const Columns& c) {
  Columns out(c.outer, c.pieces, c.channels, 1, 1 << 20, 8);
  out.rows_per_piece = c.pieces;
  out.pieces = 1;
  return out;
}

/// Puts back what channel_moments took off the means.
template <class T, class Finish>
struct FromFirstRow {
  Columns c;
  Rows<const T> x;
  Finish finish;
  __device__ void operator()(int64_t outer, int64_t channel, Moments<double> m) const {
    m.mean += static_cast<double>(widen(*x.at(c, outer, 0, channel)));
    finish(outer, channel, m);
  }
};

/// Mean and deviations of each channel of each outer item go to finish(outer, channel, moments).
template <class T, class Finish>
void launch_moments(CudaContext ctx, Device device, const char* op, int64_t outer, int64_t rows,
                    int64_t channels, Rows<const T> x, Finish finish) {
  using Part = Moments<Accumulator<T>>;
  with_packs<T>({x.data}, {x.step, channels}, [&]<int V>() {
    const Columns c(outer, rows, channels, V);
    if (c.empty()) return;
    const Tensor partial =
        Tensor::empty({outer * c.pieces * channels, 3}, dtype_of<Accumulator<T>>, device);
    Part* parts = reinterpret_cast<Part*>(partial.raw_data());
    launch(op, channel_moments<V, T>, c.grid(), c.block(), 0, ctx, c, x, parts);
    const Columns joined = pieces_of(c);
    // No alias: nvcc writes the name outside this function.
    launch(op, join_pieces<Part, JoinMoments, FromFirstRow<T, Finish>>, joined.grid(),
           joined.block(), 0, ctx, joined, parts, JoinMoments{},
           FromFirstRow<T, Finish>{c, x, finish});
  });
}

template <class T>
void launch_forward(CudaContext ctx, const char* op, int64_t outer, int64_t rows, int64_t channels,
                    const ChannelForward<T>& pass) {
  with_packs<T>({pass.x.data, pass.residual.data, pass.y.data},
                {pass.x.step, pass.residual.step, pass.y.step, channels}, [&]<int V>() {
                  const Columns c(outer, rows, channels, V, 16);
                  if (c.empty()) return;
                  launch(op, channel_forward<V, T>, c.grid(), c.block(), 0, ctx, c, pass);
                });
}

/// The products of each channel of each outer item go to finish(outer, channel, products).
template <class T, class Finish>
void launch_products(CudaContext ctx, Device device, const char* op, int64_t outer, int64_t rows,
                     int64_t channels, Mask mask, const ChannelProducts<T>& pass, Finish finish) {
  using Part = Products<Accumulator<T>>;
  with_packs<T>(
      {pass.x.data, pass.dy.data, pass.y.data, pass.masked.data},
      {pass.x.step, pass.dy.step, pass.y.step, pass.masked.step, channels}, [&]<int V>() {
        const Columns c(outer, rows, channels, V);
        if (c.empty()) return;
        const Tensor partial =
            Tensor::empty({outer * c.pieces * channels, 2}, dtype_of<Accumulator<T>>, device);
        Part* parts = reinterpret_cast<Part*>(partial.raw_data());
        const auto run = [&]<Mask MASK>() {
          launch(op, channel_products<V, MASK, T>, c.grid(), c.block(), 0, ctx, c, pass, parts);
        };
        if (mask == Mask::none)
          run.template operator()<Mask::none>();
        else if (mask == Mask::from_input)
          run.template operator()<Mask::from_input>();
        else
          run.template operator()<Mask::from_output>();
        const Columns joined = pieces_of(c);
        launch(op, join_pieces<Part, AddProducts, Finish>, joined.grid(), joined.block(), 0, ctx,
               joined, parts, AddProducts{}, finish);
      });
}

template <class T>
void launch_gradient(CudaContext ctx, const char* op, int64_t outer, int64_t rows, int64_t channels,
                     bool masked, bool accumulate, const ChannelGradient<T>& pass) {
  with_packs<T>({pass.x.data, pass.dy.data, pass.dx.data},
                {pass.x.step, pass.dy.step, pass.dx.step, channels}, [&]<int V>() {
                  const Columns c(outer, rows, channels, V, 16);
                  if (c.empty()) return;
                  const auto run = [&]<bool MASKED, bool ACCUMULATE>() {
                    launch(op, channel_gradient<V, MASKED, ACCUMULATE, T>, c.grid(), c.block(), 0,
                           ctx, c, pass);
                  };
                  if (masked)
                    accumulate ? run.template operator()<true, true>()
                               : run.template operator()<true, false>();
                  else
                    accumulate ? run.template operator()<false, true>()
                               : run.template operator()<false, false>();
                });
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
