#include "cpu/channel_norm.h"

#include <algorithm>
#include <type_traits>

#include "core/isa.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/tensor.h"

namespace cytograd::cpu {
namespace {

using simd::Rows;

constexpr int64_t kStrip = simd::norm_strip;
constexpr int64_t kTileElements = 1 << 16;  // 256 KB of float32: stays in the second-level cache

const simd::ChannelNormTable& table() { return CYTOGRAD_OF_ISA(simd::channel_norm); }

template <class T>
const simd::ChannelNormKernels<T>& kernels_of() {
  if constexpr (std::is_same_v<T, float>)
    return table().f32;
  else
    return table().f64;
}

/// Rows and channels of one unit of work.
struct Tile {
  int64_t item, chunk, rows, width, row, channel;
};

/// How [batch, rows, channels] is cut into tiles.
struct Tiling {
  ChannelSizes sizes;
  int64_t rows_per_tile, chunks, strips;
  explicit Tiling(const ChannelSizes& s) : sizes(s) {
    rows_per_tile =
        std::clamp<int64_t>(kTileElements / std::clamp<int64_t>(s.channels, 1, kStrip), 64, 1024);
    chunks = (s.rows + rows_per_tile - 1) / rows_per_tile;
    strips = (s.channels + kStrip - 1) / kStrip;
  }
  int64_t count() const { return sizes.batch * chunks * strips; }
  Tile tile(int64_t i) const {
    Tile t{};
    const int64_t strip = i % strips;
    t.chunk = i / strips % chunks;
    t.item = i / strips / chunks;
    t.row = t.chunk * rows_per_tile;
    t.rows = std::min(rows_per_tile, sizes.rows - t.row);
    t.channel = strip * kStrip;
    t.width = std::min(kStrip, sizes.channels - t.channel);
    return t;
  }
  template <class T>
  Rows<T> part(const Rows<T>& all, const Tile& t) const {
    if (!all.data) return all;
    return {all.data + (t.item * sizes.rows + t.row) * all.step + t.channel, all.step};
  }
  template <class T>
  const T* part(const T* vectors, const Tile& t) const {
    return vectors ? vectors + t.item * sizes.channels + t.channel : nullptr;
  }
  /// Where a tile keeps its partial result of `kinds` vectors.
  int64_t partial(const Tile& t, int64_t kinds) const {
    return (t.item * chunks + t.chunk) * kinds * sizes.channels + t.channel;
  }
  /// Calls f(tile) for all, in parallel.
  template <class F>
  void run(F&& f) const {
    // Small batch items are joined: a tile of its own for each would be mostly hand-over.
    const int64_t elements = std::min(rows_per_tile, sizes.rows) * std::min(kStrip, sizes.channels);
    const int64_t grain = std::max<int64_t>(1, kTileElements / 2 / std::max<int64_t>(1, elements));
    parallel_for(count(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(tile(i));
    });
  }
};

Tensor partials(const Tiling& tiling) {
  return Tensor::empty({tiling.sizes.batch, tiling.chunks, 2, tiling.sizes.channels},
                       Dtype::float64);
}

}  // namespace

template <class T>
void channel_moments(const ChannelSizes& s, Rows<const T> x, double* mean, double* deviations) {
  const Tiling tiling(s);
  const Tensor scratch = partials(tiling);
  auto* partial = scratch.data<double>();
  const auto kernel = kernels_of<T>().moments;
  tiling.run([&](const Tile& t) {
    double* out = partial + tiling.partial(t, 2);
    kernel(tiling.part(x, t), t.rows, t.width, out, out + s.channels);
  });
  std::fill_n(mean, s.vectors(), 0.0);
  std::fill_n(deviations, s.vectors(), 0.0);
  for (int64_t item = 0; item < s.batch; ++item) {
    double *m = mean + item * s.channels, *d = deviations + item * s.channels;
    for (int64_t chunk = 0; chunk < tiling.chunks; ++chunk) {
      const double* part = partial + (item * tiling.chunks + chunk) * 2 * s.channels;
      const auto before = static_cast<double>(chunk * tiling.rows_per_tile);
      const auto here = static_cast<double>(
          std::min(tiling.rows_per_tile, s.rows - chunk * tiling.rows_per_tile));
      const double share = here / (before + here), weight = before * share;
      for (int64_t c = 0; c < s.channels; ++c) {
        const double delta = part[c] - m[c];
        m[c] += delta * share;
        d[c] += part[s.channels + c] + delta * delta * weight;
      }
    }
  }
}

template <class T>
void channel_forward(const ChannelSizes& s, const simd::NormForward<T>& pass) {
  const Tiling tiling(s);
  const auto kernel = kernels_of<T>().forward;
  tiling.run([&](const Tile& t) {
    kernel({.rows = t.rows,
            .channels = t.width,
            .x = tiling.part(pass.x, t),
            .residual = tiling.part(pass.residual, t),
            .center = tiling.part(pass.center, t),
            .scale = tiling.part(pass.scale, t),
            .shift = tiling.part(pass.shift, t),
            .relu = pass.relu,
            .y = tiling.part(pass.y, t)});
  });
}

template <class T>
void channel_products(const ChannelSizes& s, const simd::NormProducts<T>& pass) {
  const Tiling tiling(s);
  const Tensor scratch = partials(tiling);
  auto* partial = scratch.data<double>();
  std::fill_n(partial, scratch.numel(), 0.0);
  const auto kernel = kernels_of<T>().products;
  tiling.run([&](const Tile& t) {
    double* out = partial + tiling.partial(t, 2);
    kernel({.rows = t.rows,
            .channels = t.width,
            .x = tiling.part(pass.x, t),
            .dy = tiling.part(pass.dy, t),
            .y = tiling.part(pass.y, t),
            .center = tiling.part(pass.center, t),
            .scale = tiling.part(pass.scale, t),
            .shift = tiling.part(pass.shift, t),
            .mask = pass.mask,
            .masked = tiling.part(pass.masked, t),
            .sum_dy = out,
            .sum_dy_x = out + s.channels});
  });
  std::fill_n(pass.sum_dy, s.vectors(), 0.0);
  std::fill_n(pass.sum_dy_x, s.vectors(), 0.0);
  for (int64_t part = 0; part < s.batch * tiling.chunks; ++part) {
    const double* from = partial + part * 2 * s.channels;
    const int64_t to = part / tiling.chunks * s.channels;
    for (int64_t c = 0; c < s.channels; ++c) pass.sum_dy[to + c] += from[c];
    for (int64_t c = 0; c < s.channels; ++c) pass.sum_dy_x[to + c] += from[s.channels + c];
  }
}

template <class T>
void channel_gradient(const ChannelSizes& s, const simd::NormGradient<T>& pass) {
  const Tiling tiling(s);
  const auto kernel = kernels_of<T>().gradient;
  tiling.run([&](const Tile& t) {
    kernel({.rows = t.rows,
            .channels = t.width,
            .x = tiling.part(pass.x, t),
            .dy = tiling.part(pass.dy, t),
            .center = tiling.part(pass.center, t),
            .scale = tiling.part(pass.scale, t),
            .shift = tiling.part(pass.shift, t),
            .of_dy = tiling.part(pass.of_dy, t),
            .of_x = tiling.part(pass.of_x, t),
            .constant = tiling.part(pass.constant, t),
            .masked = pass.masked,
            .accumulate = pass.accumulate,
            .dx = tiling.part(pass.dx, t)});
  });
}

#define CYTOGRAD_INSTANTIATE(T)                                                              \
  template void channel_moments(const ChannelSizes&, simd::Rows<const T>, double*, double*); \
  template void channel_forward(const ChannelSizes&, const simd::NormForward<T>&);           \
  template void channel_products(const ChannelSizes&, const simd::NormProducts<T>&);         \
  template void channel_gradient(const ChannelSizes&, const simd::NormGradient<T>&);
CYTOGRAD_INSTANTIATE(float)
CYTOGRAD_INSTANTIATE(double)
#undef CYTOGRAD_INSTANTIATE

}  // namespace cytograd::cpu
