#include "kernels/roi_align.h"

#include <limits>

#include "cuda/core/image.cuh"
#include "cuda/core/launch.cuh"
#include "cuda/core/pack.cuh"
#include "cuda/core/rows.cuh"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

using kernels::RoiBox;
using kernels::RoiTap;

struct RoiSizes {
  int64_t images, rois;
  int h, w, c;
  RoiAlignOptions options;
  RoiSizes(const Tensor& features, const Tensor& rois, const RoiAlignOptions& o)
      : images(features.size(0)),
        rois(rois.size(0)),
        h(axis_int(features.size(1))),
        w(axis_int(features.size(2))),
        c(axis_int(features.size(3))),
        options(o) {}
  __device__ int64_t cell(int64_t n, int y, int x) const { return ((n * h + y) * w + x) * c; }
};

// A thread makes one pack of channels of one bin.
template <int V, class T>
__global__ void __launch_bounds__(256, 2)
    roi_align_bins(ImageGrid g, RoiSizes s, const T* __restrict__ features,
                   const Accumulator<T>* __restrict__ rois, T* __restrict__ y) {
  using A = Accumulator<T>;
  for_each_pixel<V>(g, [&](int64_t m, int ph, int pw, int channel) {
    const RoiBox<A> box(rois + 5 * m, s.options);
    const bool known = box.image >= 0 && box.image < s.images;
    Vector<T, V> sum{};
    for (int sy = 0; sy < box.y.grid && known; ++sy) {
      const RoiTap<A> row = box.y.tap(ph, sy, s.h);
      if (!row.inside) continue;
      for (int sx = 0; sx < box.x.grid; ++sx) {
        const RoiTap<A> column = box.x.tap(pw, sx, s.w);
        if (!column.inside) continue;
        const T* from = features + channel;
        const Vector<T, V> a = load<V>(from + s.cell(box.image, row.low, column.low)),
                           b = load<V>(from + s.cell(box.image, row.low, column.high)),
                           p = load<V>(from + s.cell(box.image, row.high, column.low)),
                           q = load<V>(from + s.cell(box.image, row.high, column.high));
        const A top = (1 - row.weight) * box.share, bottom = row.weight * box.share,
                left = 1 - column.weight, right = column.weight;
#pragma unroll
        for (int k = 0; k < V; ++k)
          sum.v[k] +=
              top * (left * a.v[k] + right * b.v[k]) + bottom * (left * p.v[k] + right * q.v[k]);
      }
    }
#pragma unroll
    for (int k = 0; k < V; ++k)
      if (!known) sum.v[k] = std::numeric_limits<A>::quiet_NaN();
    store<V>(y + ((m * s.options.height + ph) * s.options.width + pw) * s.c + channel, sum);
  });
}

// Samples first .. last - 1 of an axis (numbered through all bins) may read cells low .. high.
struct Samples {
  int first, last;
  template <class A>
  __device__ Samples(const kernels::RoiAxis<A>& axis, int low, int high, int cells) {
    const int count = axis.bins * axis.grid;
    const A step = axis.bin / static_cast<A>(axis.grid > 0 ? axis.grid : 1);
    first = 0, last = count;
    if (!(step > 0)) return;  // all, or none for NaN
    // A reader lies within one cell; the rim reaches one cell further. Half a step for rounding.
    const A from = (static_cast<A>(low) - (low == 0 ? 2 : 1) - axis.start) / step - 1,
            to = (static_cast<A>(high) + (high == cells - 1 ? 2 : 1) - axis.start) / step + 1;
    if (from > 0) first = from < static_cast<A>(count) ? static_cast<int>(from) : count;
    if (to < static_cast<A>(count)) last = to > 0 ? static_cast<int>(to) : 0;
  }
};

constexpr int backward_threads = 256;

// A block gathers the gradient of `lines` neighbouring cells of a row, `width` packs of channels
// each. It looks at all boxes, notes those that reach its cells in their order, then adds these up.
template <int V, class T>
__global__ void __launch_bounds__(backward_threads, 2)
    roi_align_gather(RoiSizes s, int width, int64_t channel_blocks, int64_t strips,
                     const T* __restrict__ dy, const Accumulator<T>* __restrict__ rois,
                     T* __restrict__ dx) {
  using A = Accumulator<T>;
  constexpr int warps = backward_threads / 32;
  CYTOGRAD_SHARED(int, chosen, [backward_threads]);
  CYTOGRAD_SHARED(int, per_warp, [warps]);
  const int thread = static_cast<int>(threadIdx.x), lines = backward_threads / width;
  const int64_t strip = blockIdx.x / channel_blocks, row = strip / strips;
  const int64_t n = row / s.h;
  const int h = static_cast<int>(row % s.h), w0 = static_cast<int>(strip % strips) * lines;
  const int w = w0 + thread / width, w_last = w0 + lines < s.w ? w0 + lines - 1 : s.w - 1;
  const int64_t channel = (blockIdx.x % channel_blocks * width + thread % width) * V;
  const bool active = w < s.w && channel < s.c;
  Vector<T, V> sum{};
  for (int64_t base = 0; base < s.rois; base += backward_threads) {
    bool reaches = false;
    if (base + thread < s.rois) {
      const RoiBox<A> box(rois + 5 * (base + thread), s.options);
      if (box.image == n) {
        const Samples ys(box.y, h, h, s.h), xs(box.x, w0, w_last, s.w);
        reaches = ys.first < ys.last && xs.first < xs.last;
      }
    }
    const unsigned votes = __ballot_sync(full_warp, reaches);
    if (thread % 32 == 0) per_warp[thread / 32] = __popc(votes);
    __syncthreads();
    int place = __popc(votes & ((1u << (thread % 32)) - 1)), count = 0;
    for (int i = 0; i < warps; ++i) {
      if (i < thread / 32) place += per_warp[i];
      count += per_warp[i];
    }
    if (reaches) chosen[place] = thread;
    __syncthreads();
    for (int i = 0; i < count && active; ++i) {
      const int64_t m = base + chosen[i];
      const RoiBox<A> box(rois + 5 * m, s.options);
      const Samples ys(box.y, h, h, s.h), xs(box.x, w, w, s.w);
      for (int sy = ys.first; sy < ys.last; ++sy) {
        const int ph = sy / box.y.grid;
        const A of_row = box.y.tap(ph, sy - ph * box.y.grid, s.h).share(h) * box.share;
        if (of_row == 0) continue;
        for (int sx = xs.first; sx < xs.last; ++sx) {
          const int pw = sx / box.x.grid;
          const A weight = of_row * box.x.tap(pw, sx - pw * box.x.grid, s.w).share(w);
          if (weight == 0) continue;
          const Vector<T, V> g =
              load<V>(dy + ((m * s.options.height + ph) * s.options.width + pw) * s.c + channel);
#pragma unroll
          for (int k = 0; k < V; ++k) sum.v[k] += weight * g.v[k];
        }
      }
    }
    __syncthreads();  // `chosen` is written again
  }
  if (active) store<V>(dx + s.cell(n, h, w) + channel, sum);
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void roi_align(CudaContext ctx, const Tensor& features, const Tensor& rois,
               const RoiAlignOptions& o, const Tensor& y) {
  if (y.numel() == 0) return;
  dispatch_storage(features.dtype(), "roi_align", [&]<class T>() {
    with_packs<T>({features.data<T>(), y.data<T>()}, {y.size(3)}, [&]<int V>() {
      const ImageGrid g{rois.size(0), o.height, o.width, y.size(3), V};
      launch("roi_align", roi_align_bins<V, T>, g.grid(), g.block(), 0, ctx, g,
             RoiSizes(features, rois, o), features.data<T>(), rois.data<Accumulator<T>>(),
             y.data<T>());
    });
  });
}

void roi_align_backward(CudaContext ctx, const Tensor& dy, const Tensor& rois,
                        const RoiAlignOptions& o, const Tensor& dx) {
  if (dx.numel() == 0) return;
  dispatch_storage(dx.dtype(), "roi_align", [&]<class T>() {
    with_packs<T>({dy.data<T>(), dx.data<T>()}, {dx.size(3)}, [&]<int V>() {
      const int64_t packs = dx.size(3) / V;
      int width = 1;
      while (width < 32 && width < packs) width *= 2;
      const int64_t channel_blocks = ceil_div(packs, width),
                    strips = ceil_div(dx.size(2), backward_threads / width);
      const int64_t blocks = dx.size(0) * dx.size(1) * strips * channel_blocks;
      launch("roi_align", roi_align_gather<V, T>, dim3(static_cast<unsigned>(blocks)),
             dim3(backward_threads), 0, ctx, RoiSizes(dx, rois, o), width, channel_blocks, strips,
             dy.data<T>(), rois.data<Accumulator<T>>(), dx.data<T>());
    });
  });
}

}  // namespace kernels
}  // namespace cytograd
