#include "kernels/roi_align.h"

#include <algorithm>

#include "cytograd/core/parallel.h"

namespace cytograd::kernels {
namespace {

// Calls f(offset of a cell in its image, weight) for the cells of one sample.
template <class A, class F>
void for_each_cell(const RoiTap<A>& y, const RoiTap<A>& x, int64_t width, A share, F&& f) {
  const A top = (1 - y.weight) * share, bottom = y.weight * share;
  f(y.low * width + x.low, top * (1 - x.weight));
  f(y.low * width + x.high, top * x.weight);
  f(y.high * width + x.low, bottom * (1 - x.weight));
  f(y.high * width + x.high, bottom * x.weight);
}

// Calls f(cell, weight) for every cell of every sample of bin (ph, pw).
template <class A, class F>
void for_each_sample(const RoiBox<A>& box, int ph, int pw, int64_t h, int64_t w, F&& f) {
  for (int sy = 0; sy < box.y.grid; ++sy) {
    const RoiTap<A> y = box.y.tap(ph, sy, static_cast<int>(h));
    if (!y.inside) continue;
    for (int sx = 0; sx < box.x.grid; ++sx) {
      const RoiTap<A> x = box.x.tap(pw, sx, static_cast<int>(w));
      if (x.inside) for_each_cell(y, x, w, box.share, f);
    }
  }
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
                          w, [&](int64_t cell, T weight) {
                            const T* __restrict x = image + cell * c;
                            for (int64_t k = 0; k < c; ++k) out[k] += weight * x[k];
                          });
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
                            h, w, [&](int64_t cell, T weight) {
                              T* __restrict x = image + cell * c;
                              for (int64_t k = 0; k < width; ++k) x[k] += weight * g[k];
                            });
          }
        }
      }
    });
  });
}

}  // namespace cytograd::kernels
