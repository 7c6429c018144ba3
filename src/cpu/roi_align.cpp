#include "kernels/roi_align.h"

#include <algorithm>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

// The four cells of a sample, as places in their image, and what each counts in the bin.
template <class A>
struct Corners {
  int64_t cell[4];
  A weight[4];

  Corners(const RoiTap<A>& y, const RoiTap<A>& x, int64_t width, A share)
      : cell{y.low * width + x.low, y.low * width + x.high, y.high * width + x.low,
             y.high * width + x.high} {
    const A top = (1 - y.weight) * share, bottom = y.weight * share;
    weight[0] = top * (1 - x.weight);
    weight[1] = top * x.weight;
    weight[2] = bottom * (1 - x.weight);
    weight[3] = bottom * x.weight;
  }
};

// Calls f(corners) for every sample of bin (ph, pw).
template <class A, class F>
void for_each_sample(const RoiBox<A>& box, int ph, int pw, int64_t h, int64_t w, F&& f) {
  for (int sy = 0; sy < box.y.grid; ++sy) {
    const RoiTap<A> y = box.y.tap(ph, sy, static_cast<int>(h));
    if (!y.inside) continue;
    for (int sx = 0; sx < box.x.grid; ++sx) {
      const RoiTap<A> x = box.x.tap(pw, sx, static_cast<int>(w));
      if (x.inside) f(Corners<A>(y, x, w, box.share));
    }
  }
}

// All channels at once: the result is loaded and stored once for four cells.
template <class T>
void add_sample(const T* image, const Corners<T>& s, int64_t channels, T* __restrict out) {
  const T *a = image + s.cell[0] * channels, *b = image + s.cell[1] * channels,
          *c = image + s.cell[2] * channels, *d = image + s.cell[3] * channels;
  const T u = s.weight[0], v = s.weight[1], w = s.weight[2], z = s.weight[3];
  for (int64_t k = 0; k < channels; ++k) out[k] += (u * a[k] + v * b[k]) + (w * c[k] + z * d[k]);
}

constexpr int64_t kStrip = 64;  // channels of one unit of backward work

}  // namespace

void roi_align(CpuContext, const Tensor& features, const Tensor& rois, const RoiAlignOptions& o,
               const Tensor& y) {
  const int64_t h = features.size(1), w = features.size(2), c = features.size(3);
  dispatch_floating(features.dtype(), "roi_align", [&]<class T>() {
    const T *from = features.data<T>(), *boxes = rois.data<T>();
    T* to = y.data<T>();
    parallel_for(rois.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m) {
        const RoiBox<T> box(boxes + 5 * m, o);
        const T* image = from + box.image * h * w * c;
        for (int64_t bin = 0; bin < o.height * o.width; ++bin) {
          T* out = to + (m * o.height * o.width + bin) * c;
          std::fill_n(out, c, T(0));
          for_each_sample(box, static_cast<int>(bin / o.width), static_cast<int>(bin % o.width), h,
                          w, [&](const Corners<T>& s) { add_sample(image, s, c, out); });
        }
      }
    });
  });
}

// A strip of channels of one image is one unit: it adds up the boxes in their order.
void roi_align_backward(CpuContext, const Tensor& dy, const Tensor& rois, const RoiAlignOptions& o,
                        const Tensor& dx) {
  const int64_t h = dx.size(1), w = dx.size(2), c = dx.size(3);
  const int64_t strips = (c + kStrip - 1) / kStrip, bins = o.height * o.width;
  dispatch_floating(dx.dtype(), "roi_align", [&]<class T>() {
    const T *from = dy.data<T>(), *boxes = rois.data<T>();
    T* to = dx.data<T>();
    parallel_for(dx.size(0) * strips, 1, [&](int64_t begin, int64_t end) {
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t n = unit / strips, channel = unit % strips * kStrip,
                      width = std::min(kStrip, c - channel);
        T* image = to + n * h * w * c + channel;
        for (int64_t cell = 0; cell < h * w; ++cell) std::fill_n(image + cell * c, width, T(0));
        for (int64_t m = 0; m < rois.size(0); ++m) {
          const RoiBox<T> box(boxes + 5 * m, o);
          if (box.image != n) continue;
          for (int64_t bin = 0; bin < bins; ++bin) {
            const T* g = from + (m * bins + bin) * c + channel;
            for_each_sample(box, static_cast<int>(bin / o.width), static_cast<int>(bin % o.width),
                            h, w, [&](const Corners<T>& s) {
                              for (int i = 0; i < 4; ++i) {
                                T* __restrict x = image + s.cell[i] * c;
                                const T weight = s.weight[i];
                                for (int64_t k = 0; k < width; ++k) x[k] += weight * g[k];
                              }
                            });
          }
        }
      }
    });
  });
}

}  // namespace cytograd::kernels
