#pragma once

#include <algorithm>

#include "cytograd/core/parallel.h"

#include "kernels/pool2d.h"

namespace cytograd::cpu {

inline constexpr int64_t kPoolStrip = 128;  ///< channels handled at once

/// Sizes of a pooling of x [n, h, w, c] to y [n, oh, ow, c].
struct PoolSizes {
  int64_t n, h, w, c, oh, ow;
  PoolSizes(const Tensor& x, const Tensor& y)
      : n(x.size(0)), h(x.size(1)), w(x.size(2)), c(x.size(3)), oh(y.size(1)), ow(y.size(2)) {}
};

/// Windows first..last-1 of one axis, those that meet the pixels begin..end-1.
struct WindowRange {
  int64_t first, last;
};
inline WindowRange windows_meeting(const std::vector<kernels::PoolWindow>& windows, int64_t begin,
                                   int64_t end) {
  const auto first = std::partition_point(windows.begin(), windows.end(),
                                          [=](const auto& w) { return w.end <= begin; });
  const auto last =
      std::partition_point(first, windows.end(), [=](const auto& w) { return w.begin < end; });
  return {first - windows.begin(), last - windows.begin()};
}

/// Calls f(n, row, column, channel, width) for every output pixel and strip of channels.
/// `cost`: elements read per output element.
template <class F>
void for_each_output(const PoolSizes& s, int64_t cost, F&& f) {
  const int64_t strips = (s.c + kPoolStrip - 1) / kPoolStrip;
  const int64_t work = std::max<int64_t>(1, std::min(s.c, kPoolStrip) * cost);
  parallel_for(s.n * s.oh * s.ow * strips, std::max<int64_t>(1, (1 << 16) / work),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t channel = i % strips * kPoolStrip, pixel = i / strips;
                   f(pixel / s.ow / s.oh, pixel / s.ow % s.oh, pixel % s.ow, channel,
                     std::min(kPoolStrip, s.c - channel));
                 }
               });
}

/// Input rows of one unit of backward work.
inline int64_t rows_per_block(const PoolSizes& s) {
  return std::clamp<int64_t>((1 << 16) / std::max<int64_t>(1, s.w * s.c), 1, 64);
}

}  // namespace cytograd::cpu
