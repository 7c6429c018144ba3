#pragma once

#include "cuda/core/columns.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"

/// @file
/// The passes over [outer, rows, channels] that batch norm (outer 1) and group norm (outer N) are
/// made of, as cpu/channel_norm.h has them. Rows of x, y, ... may lie further apart than their
/// channels. T is what they hold; vectors are of Accumulator<T>, so bfloat16 goes with float.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// Rows of channels, each `step` elements after the one before. No restrict: results may be
/// written over what they come from.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t step = 0;
  __device__ T* at(const Columns& c, int64_t outer, int64_t row, int64_t channel) const {
    return data + (outer * c.rows + row) * step + channel;
  }
};

/// Count, mean and sum of squared deviations of some values of one channel.
template <class A>
struct Moments {
  A count, mean, deviations;
};

template <class A>
__device__ inline Moments<A> shuffle_xor(const Moments<A>& m, int bits) {
  return {shuffle_xor(m.count, bits), shuffle_xor(m.mean, bits), shuffle_xor(m.deviations, bits)};
}

/// Joins two parts (Chan, Golub and LeVeque 1983).
struct JoinMoments {
  template <class A>
  __device__ Moments<A> operator()(const Moments<A>& a, const Moments<A>& b) const {
    if (b.count == 0) return a;
    if (a.count == 0) return b;
    const A count = a.count + b.count, share = b.count / count, delta = b.mean - a.mean;
    return {count, a.mean + delta * share,
            a.deviations + b.deviations + delta * delta * a.count * share};
  }
};

/// partial[outer, piece, channel] = moments of each piece of rows, which are read once; means are
/// relative to the first row, where they keep the digits that a large common offset would take. A
/// thread sums x - x0 and (x - x0)^2 over short runs and joins these; x0 is the mean so far, at
/// first the first value. As that is one of the values, the run's deviations are at least
/// (x0 - mean)^2, so cancellation costs at most a factor of the run's length.
template <int V, class T>
__global__ void __launch_bounds__(column_threads, 2)
    channel_moments(Columns c, Rows<const T> x, Moments<Accumulator<T>>* __restrict__ partial) {
  using A = Accumulator<T>;
  constexpr int run = 16;
  CYTOGRAD_SHARED(Moments<A>, shared, [column_threads * V]);
  const ColumnPart part(c, V);
  Moments<A> m[V] = {};
  if (part.channel < c.channels && part.begin < part.end) {
    const Vector<T, V> base = load<V>(x.at(c, part.outer, 0, part.channel));
    Vector<T, V> origin = load<V>(x.at(c, part.outer, part.begin, part.channel));
#pragma unroll
    for (int k = 0; k < V; ++k) origin.v[k] -= base.v[k];
    for (int64_t r = part.begin; r < part.end;) {
      A sum[V] = {}, squares[V] = {}, count = 0;
#pragma unroll 4
      for (int n = 0; n < run && r < part.end; ++n, r += part.step) {
        const Vector<T, V> p = load<V>(x.at(c, part.outer, r, part.channel));
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const A d = (p.v[k] - base.v[k]) - origin.v[k];
          sum[k] += d;
          squares[k] += d * d;
        }
        count += 1;
      }
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const A mean = sum[k] / count, left = squares[k] - sum[k] * mean;
        const Moments<A> of_run{count, origin.v[k] + mean, left < 0 ? A(0) : left};  // NaN stays
        m[k] = JoinMoments{}(m[k], of_run);
        origin.v[k] = m[k].mean;
      }
    }
  }
  combine_lines(m, shared, JoinMoments{});
  if (threadIdx.y != 0 || part.channel >= c.channels) return;
  Moments<A>* to = partial + (part.outer * c.pieces + part.piece) * c.channels + part.channel;
#pragma unroll
  for (int k = 0; k < V; ++k) to[k] = m[k];
}

/// A value for each channel of each outer item: of the channel, or of the group that holds it.
template <class A>
struct ChannelValues {
  const A* data = nullptr;  ///< null: `absent` everywhere
  int64_t outer_step = 0;   ///< 0: the same for all
  int64_t group_width = 1;
  template <int V>
  __device__ Vector<A, V> at(const ColumnPart& part, A absent) const {
    Vector<A, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k)
      out.v[k] =
          data ? data[part.outer * outer_step + quotient(part.channel + k, group_width)] : absent;
    return out;
  }
};

/// What normalises: (x - mean) rstd weight + bias.
template <class A>
struct ChannelAffine {
  ChannelValues<A> mean, rstd, weight, bias;
};

template <class A, int V>
struct AffineOf {
  Vector<A, V> center, scale, shift;
  __device__ AffineOf(const ChannelAffine<A>& a, const ColumnPart& part)
      : center(a.mean.template at<V>(part, 0)),
        scale(a.rstd.template at<V>(part, 1)),
        shift(a.bias.template at<V>(part, 0)) {
    const Vector<A, V> weight = a.weight.template at<V>(part, 1);
#pragma unroll
    for (int k = 0; k < V; ++k) scale.v[k] *= weight.v[k];
  }
};

/// y = (x - center) scale + shift (+ residual), then max(., 0) if `relu`; NaN stays NaN.
template <class T>
struct ChannelForward {
  Rows<const T> x, residual;  ///< residual.data may be null
  ChannelAffine<Accumulator<T>> affine;
  bool relu;
  Rows<T> y;
};

template <int V, class T>
__global__ void __launch_bounds__(column_threads, 3)
    channel_forward(Columns c, ChannelForward<T> pass) {
  const ColumnPart part(c, V);
  if (part.channel >= c.channels) return;
  const AffineOf<Accumulator<T>, V> affine(pass.affine, part);
#pragma unroll 2
  for (int64_t r = part.begin; r < part.end; r += part.step) {
    Vector<T, V> p = load<V>(pass.x.at(c, part.outer, r, part.channel));
#pragma unroll
    for (int k = 0; k < V; ++k)
      p.v[k] = (p.v[k] - affine.center.v[k]) * affine.scale.v[k] + affine.shift.v[k];
    if (pass.residual.data) {
      const Vector<T, V> q = load<V>(pass.residual.at(c, part.outer, r, part.channel));
#pragma unroll
      for (int k = 0; k < V; ++k) p.v[k] += q.v[k];
    }
    if (pass.relu) {
#pragma unroll
      for (int k = 0; k < V; ++k) p.v[k] = p.v[k] < 0 ? 0 : p.v[k];
    }
    store<V>(pass.y.at(c, part.outer, r, part.channel), p);
  }
}

/// Which elements of dy reach the input of the ReLU.
enum class Mask {
  none,         ///< all: there was no ReLU
  from_input,   ///< where (x - center) scale + shift > 0
  from_output,  ///< where y > 0
};

/// Sums of g and of g (x - center), g being the masked dy.
template <class A>
struct Products {
  A dy, dy_x;
};
struct AddProducts {
  template <class A>
  __device__ Products<A> operator()(const Products<A>& a, const Products<A>& b) const {
    return {a.dy + b.dy, a.dy_x + b.dy_x};
  }
};
template <class A>
__device__ inline Products<A> shuffle_xor(const Products<A>& p, int bits) {
  return {shuffle_xor(p.dy, bits), shuffle_xor(p.dy_x, bits)};
}

template <class T>
struct ChannelProducts {
  Rows<const T> x, dy, y;  ///< y for from_output
  ChannelAffine<Accumulator<T>> affine;
  Rows<T> masked;  ///< for from_output: where g goes; may be dy
};

/// partial[outer, piece, channel] = the products of each piece of rows.
template <int V, Mask MASK, class T>
__global__ void __launch_bounds__(column_threads, 2)
    channel_products(Columns c, ChannelProducts<T> pass,
                     Products<Accumulator<T>>* __restrict__ partial) {
  using A = Accumulator<T>;
  CYTOGRAD_SHARED(Products<A>, shared, [column_threads * V]);
  const ColumnPart part(c, V);
  Products<A> total[V] = {};
  if (part.channel < c.channels) {
    const AffineOf<A, V> affine(pass.affine, part);
    constexpr int run = 16;  // short sums on their own: rounding errors do not pile up
    for (int64_t r = part.begin; r < part.end;) {
      Products<A> sum[V] = {};
#pragma unroll 2
      for (int n = 0; n < run && r < part.end; ++n, r += part.step) {
        const Vector<T, V> x = load<V>(pass.x.at(c, part.outer, r, part.channel));
        Vector<T, V> g = load<V>(pass.dy.at(c, part.outer, r, part.channel));
        if constexpr (MASK == Mask::from_output) {
          const Vector<T, V> y = load<V>(pass.y.at(c, part.outer, r, part.channel));
#pragma unroll
          for (int k = 0; k < V; ++k) g.v[k] = y.v[k] > 0 ? g.v[k] : 0;
          store<V>(pass.masked.at(c, part.outer, r, part.channel), g);
        }
#pragma unroll
        for (int k = 0; k < V; ++k) {
          const A d = x.v[k] - affine.center.v[k];
          if constexpr (MASK == Mask::from_input)
            g.v[k] = d * affine.scale.v[k] + affine.shift.v[k] > 0 ? g.v[k] : 0;
          sum[k] = {sum[k].dy + g.v[k], sum[k].dy_x + g.v[k] * d};
        }
      }
#pragma unroll
      for (int k = 0; k < V; ++k) total[k] = AddProducts{}(total[k], sum[k]);
    }
  }
  combine_lines(total, shared, AddProducts{});
  if (threadIdx.y != 0 || part.channel >= c.channels) return;
  Products<A>* to = partial + (part.outer * c.pieces + part.piece) * c.channels + part.channel;
#pragma unroll
  for (int k = 0; k < V; ++k) to[k] = total[k];
}

__device__ inline Moments<double> in_double(const Moments<float>& m) {
  return {m.count, m.mean, m.deviations};
}
__device__ inline Moments<double> in_double(const Moments<double>& m) { return m; }
__device__ inline Products<double> in_double(const Products<float>& p) { return {p.dy, p.dy_x}; }
__device__ inline Products<double> in_double(const Products<double>& p) { return p; }

/// Joins the parts of all pieces in double and calls finish(outer, channel, result). `c` has one
/// channel per thread and the pieces as its rows, uncut.
template <class Part, class Join, class Finish>
__global__ void __launch_bounds__(column_threads, 3)
    join_pieces(Columns c, const Part* __restrict__ partial, Join join, Finish finish) {
  using Wide = decltype(in_double(Part{}));
  CYTOGRAD_SHARED(Wide, shared, [column_threads]);
  const ColumnPart part(c, 1);
  Wide total[1] = {};
  if (part.channel < c.channels)
    for (int64_t p = part.begin; p < part.end; p += part.step)
      total[0] =
          join(total[0], in_double(partial[(part.outer * c.rows + p) * c.channels + part.channel]));
  combine_lines(total, shared, join);
  if (threadIdx.y == 0 && part.channel < c.channels) finish(part.outer, part.channel, total[0]);
}

/// dx (+)= scale g + of_x (x - center) + constant; of_x null: dx (+)= scale g.
template <class T>
struct ChannelGradient {
  Rows<const T> x, dy;
  ChannelAffine<Accumulator<T>> affine;
  ChannelValues<Accumulator<T>> of_x, constant;
  Rows<T> dx;  ///< may be dy
};

template <int V, bool MASKED, bool ACCUMULATE, class T>
__global__ void __launch_bounds__(column_threads, 2)
    channel_gradient(Columns c, ChannelGradient<T> pass) {
  using A = Accumulator<T>;
  const ColumnPart part(c, V);
  if (part.channel >= c.channels) return;
  const bool with_x = pass.of_x.data != nullptr;
  const AffineOf<A, V> affine(pass.affine, part);
  const Vector<A, V> of_x = pass.of_x.template at<V>(part, 0),
                     constant = pass.constant.template at<V>(part, 0);
#pragma unroll 2
  for (int64_t r = part.begin; r < part.end; r += part.step) {
    Vector<T, V> g = load<V>(pass.dy.at(c, part.outer, r, part.channel)), x{};
    if (with_x || MASKED) x = load<V>(pass.x.at(c, part.outer, r, part.channel));
    T* to = pass.dx.at(c, part.outer, r, part.channel);
    Vector<T, V> old{};
    if constexpr (ACCUMULATE) old = load<V>(to);
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const A d = x.v[k] - affine.center.v[k];
      if constexpr (MASKED) g.v[k] = d * affine.scale.v[k] + affine.shift.v[k] > 0 ? g.v[k] : 0;
      g.v[k] *= affine.scale.v[k];
      if (with_x) g.v[k] += of_x.v[k] * d + constant.v[k];
      if constexpr (ACCUMULATE) g.v[k] += old.v[k];
    }
    store<V>(to, g);
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
