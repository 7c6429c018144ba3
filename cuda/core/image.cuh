#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cuda/core/kernel.cuh"
#include "cuda/core/pack.cuh"

/// @file
/// How kernels walk the pixels of [N, H, W, C]: blockIdx.y along the rows of all images, x along
/// the packs of V channels of a row, so that neighbouring threads read neighbouring addresses and
/// the row is found without a division per thread.

namespace cytograd::cuda::inline CYTOGRAD_NS {

struct ImageGrid {
  int64_t images, height, width, channels;
  int pack;

  int64_t packs() const { return channels / pack; }
  bool empty() const { return images * height * width * channels == 0; }
  dim3 block() const {
    const int64_t wanted = (width * packs() + 31) / 32 * 32;
    return dim3(static_cast<unsigned>(std::min<int64_t>(wanted, 256)));
  }
  dim3 grid() const {
    const int64_t per_block = block().x;
    const int64_t x = (width * packs() + per_block - 1) / per_block;
    return dim3(static_cast<unsigned>(std::min<int64_t>(x, 1 << 20)),
                static_cast<unsigned>(std::min<int64_t>(images * height, 65535)));
  }
};

/// An axis length, or another number along an axis, as kernels count it.
inline int axis_int(int64_t n) {
  check<ValueError>(n <= std::numeric_limits<int>::max(), "cuda", "an axis of ", n,
                    " elements is too long for an image");
  return static_cast<int>(n);
}

/// Calls f(image, row, column, channel) for the thread's packs.
template <int V, class F>
__device__ inline void for_each_pixel(const ImageGrid& g, F f) {
  const int64_t packs = g.channels / V, per_row = g.width * packs;
  for (int64_t r = blockIdx.y; r < g.images * g.height; r += gridDim.y) {
    const int64_t image = quotient(r, g.height), row = r - image * g.height;
    for (int64_t t = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; t < per_row;
         t += int64_t{gridDim.x} * blockDim.x) {
      const int64_t column = quotient(t, packs);
      f(image, static_cast<int>(row), static_cast<int>(column),
        static_cast<int>(t - column * packs) * V);
    }
  }
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
