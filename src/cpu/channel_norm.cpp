#include "cpu/channel_norm.h"

#include <algorithm>

#include "cytograd/core/parallel.h"
#include "cytograd/core/tensor.h"

namespace cytograd::cpu {
namespace {

constexpr int64_t kStrip = 512;             // channels of a tile
constexpr int64_t kTileElements = 1 << 16;  // 256 KB of float32: stays in the second-level cache
constexpr int64_t kRunLength = 64;          // rows summed in T before they are added in float64

/// Rows and channels of one unit of work.
struct Tile {
  int64_t item, chunk, rows, width, row, channel;
};

/// How [batch, rows, channels] is cut into tiles.
struct Tiling {
  ChannelSizes sizes;
  int64_t rows_per_tile, chunks, strips;
  explicit Tiling(const ChannelSizes& s) : sizes(s) {
    rows_per_tile = std::clamp<int64_t>(kTileElements / std::clamp<int64_t>(s.channels, 1, kStrip),
                                        kRunLength, 1024);
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
  int64_t offset(const Tile& t) const {
    return (t.item * sizes.rows + t.row) * sizes.channels + t.channel;
  }
  /// Where a tile keeps its partial result of `kinds` vectors.
  int64_t partial(const Tile& t, int64_t kinds) const {
    return (t.item * chunks + t.chunk) * kinds * sizes.channels + t.channel;
  }
};

/// total[c] += sum over rows of term(row pointer index, c), summed in T over short runs.
template <class T, class Term>
void sum_rows(int64_t rows, int64_t width, double* total, Term term) {
  T run[kStrip];
  for (int64_t begin = 0; begin < rows; begin += kRunLength) {
    const int64_t end = std::min(rows, begin + kRunLength);
    std::fill_n(run, width, T(0));
    int64_t r = begin;
    for (; r + 4 <= end; r += 4)
      for (int64_t c = 0; c < width; ++c)
        run[c] += (term(r, c) + term(r + 1, c)) + (term(r + 2, c) + term(r + 3, c));
    for (; r < end; ++r)
      for (int64_t c = 0; c < width; ++c) run[c] += term(r, c);
    for (int64_t c = 0; c < width; ++c) total[c] += run[c];
  }
}

template <class T>
void tile_moments(const T* x, int64_t ld, int64_t rows, int64_t width, double* mean,
                  double* deviations) {
  T center[kStrip];
  std::fill_n(mean, width, 0.0);
  std::fill_n(deviations, width, 0.0);
  sum_rows<T>(rows, width, mean, [=](int64_t r, int64_t c) { return x[r * ld + c]; });
  for (int64_t c = 0; c < width; ++c) {
    mean[c] /= static_cast<double>(rows);
    center[c] = static_cast<T>(mean[c]);
  }
  sum_rows<T>(rows, width, deviations, [=, &center](int64_t r, int64_t c) {
    const T d = x[r * ld + c] - center[c];
    return d * d;
  });
  // The center was rounded to T: sum (x - center)^2 = sum (x - mean)^2 + rows (mean - center)^2.
  // std::max keeps its first argument when that is NaN.
  for (int64_t c = 0; c < width; ++c) {
    const double shift = mean[c] - static_cast<double>(center[c]);
    deviations[c] = std::max(deviations[c] - static_cast<double>(rows) * shift * shift, 0.0);
  }
}

/// Calls f(row offset, per-channel offset) for every row, split into chunks.
template <class F>
void for_each_row(const ChannelSizes& s, F&& f) {
  const int64_t grain = std::max<int64_t>(1, kTileElements / std::max<int64_t>(1, s.channels));
  parallel_for(s.batch * s.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row * s.channels, row / s.rows * s.channels);
  });
}

}  // namespace

template <class T>
void channel_moments(const ChannelSizes& s, const T* x, double* mean, double* deviations) {
  const Tiling tiling(s);
  const Tensor scratch = Tensor::empty({s.batch, tiling.chunks, 2, s.channels}, Dtype::float64);
  auto* partial = scratch.data<double>();
  parallel_for(tiling.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Tile t = tiling.tile(i);
      double* out = partial + tiling.partial(t, 2);
      tile_moments(x + tiling.offset(t), s.channels, t.rows, t.width, out, out + s.channels);
    }
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
void channel_products(const ChannelSizes& s, const T* x, const T* center, const T* dy,
                      double* sum_dy, double* sum_dy_x) {
  const Tiling tiling(s);
  const Tensor scratch = Tensor::empty({s.batch, tiling.chunks, 2, s.channels}, Dtype::float64);
  auto* partial = scratch.data<double>();
  parallel_for(tiling.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Tile t = tiling.tile(i);
      double* out = partial + tiling.partial(t, 2);
      const T *xt = x + tiling.offset(t), *dyt = dy + tiling.offset(t);
      const T* m = center + t.item * s.channels + t.channel;
      const int64_t ld = s.channels;
      std::fill_n(out, t.width, 0.0);
      std::fill_n(out + ld, t.width, 0.0);
      // Short runs, so that the second sum finds dy in the first-level cache.
      for (int64_t row = 0; row < t.rows; row += 16) {
        const int64_t rows = std::min<int64_t>(16, t.rows - row);
        const T *xr = xt + row * ld, *dyr = dyt + row * ld;
        sum_rows<T>(rows, t.width, out, [=](int64_t r, int64_t c) { return dyr[r * ld + c]; });
        sum_rows<T>(rows, t.width, out + ld, [=](int64_t r, int64_t c) {
          return dyr[r * ld + c] * (xr[r * ld + c] - m[c]);
        });
      }
    }
  });
  std::fill_n(sum_dy, s.vectors(), 0.0);
  std::fill_n(sum_dy_x, s.vectors(), 0.0);
  for (int64_t part = 0; part < s.batch * tiling.chunks; ++part) {
    const double* from = partial + part * 2 * s.channels;
    const int64_t to = part / tiling.chunks * s.channels;
    for (int64_t c = 0; c < s.channels; ++c) sum_dy[to + c] += from[c];
    for (int64_t c = 0; c < s.channels; ++c) sum_dy_x[to + c] += from[s.channels + c];
  }
}

template <class T>
void channel_affine(const ChannelSizes& s, const T* x, const T* center, const T* scale,
                    const T* shift, T* y) {
  for_each_row(s, [=, channels = s.channels](int64_t row, int64_t vector) {
    const T* __restrict from = x + row, * __restrict m = center + vector;
    const T* __restrict a = scale + vector, * __restrict b = shift + vector;
    T* __restrict to = y + row;
    for (int64_t c = 0; c < channels; ++c) to[c] = (from[c] - m[c]) * a[c] + b[c];
  });
}

template <class T>
void channel_gradient(const ChannelSizes& s, const T* x, const T* center, const T* dy,
                      const T* of_dy, const T* of_x, const T* constant, T* dx) {
  for_each_row(s, [=, channels = s.channels](int64_t row, int64_t vector) {
    const T* __restrict xr = x + row, * __restrict dyr = dy + row, * __restrict m = center + vector;
    const T* __restrict a = of_dy + vector, * __restrict b = of_x + vector;
    const T* __restrict k = constant + vector;
    T* __restrict to = dx + row;
    for (int64_t c = 0; c < channels; ++c) to[c] = a[c] * dyr[c] + (b[c] * (xr[c] - m[c]) + k[c]);
  });
}

template <class T>
void channel_scale(const ChannelSizes& s, const T* dy, const T* of_dy, T* dx) {
  for_each_row(s, [=, channels = s.channels](int64_t row, int64_t vector) {
    const T* __restrict from = dy + row, * __restrict a = of_dy + vector;
    T* __restrict to = dx + row;
    for (int64_t c = 0; c < channels; ++c) to[c] = a[c] * from[c];
  });
}

#define CYTOGRAD_INSTANTIATE(T)                                                                  \
  template void channel_moments(const ChannelSizes&, const T*, double*, double*);                \
  template void channel_products(const ChannelSizes&, const T*, const T*, const T*, double*,     \
                                 double*);                                                       \
  template void channel_affine(const ChannelSizes&, const T*, const T*, const T*, const T*, T*); \
  template void channel_gradient(const ChannelSizes&, const T*, const T*, const T*, const T*,    \
                                 const T*, const T*, T*);                                        \
  template void channel_scale(const ChannelSizes&, const T*, const T*, T*);
CYTOGRAD_INSTANTIATE(float)
CYTOGRAD_INSTANTIATE(double)
#undef CYTOGRAD_INSTANTIATE

}  // namespace cytograd::cpu
