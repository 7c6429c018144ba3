#pragma once

#include <cstdint>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// One image of a batch and what becomes of it, in this order: resized to wide x wide, turned,
/// moved to another stain, changed in its colours, blurred, and walked over. Every random number in
/// here was drawn on the host, so that a sample looks the same on every device (data/transform.h).
struct ImageChange {
  static constexpr int most_radius = 15;
  enum Step : int32_t { none, brightness, contrast, saturation, hue };
  enum Normal : int32_t { as_is, densities, cones };  // pixel::stain, pixel::cones

  int64_t offset = 0;  ///< of its first pixel among those of the batch, bytes
  int32_t height = 0, width = 0, channels = 3;  ///< 1: grey
  int32_t wide = 0;  ///< side of the square before turning; the output's if it is not turned
  double cosine = 1, sine = 0;
  int32_t turned = 0, stained = 0, gray = 0;
  float stain[9] = {}, stain_offset[3] = {};  ///< of optical density: out = stain in + offset
  int32_t normal = as_is;                     ///< before `stain`: to the stain of the reference
  float normal_matrix[9] = {}, normal_offset[3] = {};
  int32_t steps[4] = {};
  float amounts[4] = {};                   ///< of `steps`: factors, and turns of the hue
  int32_t blur_radius = 0;                 ///< 0: not blurred
  float blur[most_radius + 1] = {};        ///< weights of distance 0, 1, ...
  int32_t start = 0, down = 0, right = 0;  ///< the output's first pixel, and steps to the next
};

struct AugmentSizes {
  int32_t size;              ///< side of the output
  int32_t widest;            ///< largest ImageChange::wide
  int32_t taps;              ///< most pixels along an axis that one pixel is made of
  float scale[3], shift[3];  ///< of the output, per channel
};

/// out [n, size, size, 3] float32 = the n images whose pixels (uint8, HWC, one after the other) and
/// `changes` (n ImageChange as bytes) are given, both packed. The CPU's is in data/augment.cpp.
void augment(CpuContext, const Tensor& pixels, const Tensor& changes, const AugmentSizes& sizes,
             const Tensor& out);
void augment(CudaContext, const Tensor& pixels, const Tensor& changes, const AugmentSizes& sizes,
             const Tensor& out);

}  // namespace cytograd::kernels
