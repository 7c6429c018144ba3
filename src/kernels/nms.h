#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/math.h"

namespace cytograd::kernels {

/// a b, rounded: never joined to an addition, so that all devices decide alike.
CYTOGRAD_HD inline float rounded_product(float a, float b) {
#ifdef __CUDA_ARCH__
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

/// Is the overlap of two boxes x1, y1, x2, y2 greater than the threshold? Boxes of no area overlap
/// with nothing.
CYTOGRAD_HD inline bool overlaps(const float* a, const float* b, float threshold) {
  const auto smaller = [](float u, float v) { return u < v ? u : v; };
  const auto larger = [](float u, float v) { return u > v ? u : v; };
  const float w = smaller(a[2], b[2]) - larger(a[0], b[0]),
              h = smaller(a[3], b[3]) - larger(a[1], b[1]);
  if (!(w > 0 && h > 0)) return false;
  const float both = rounded_product(w, h);
  const float areas =
      rounded_product(a[2] - a[0], a[3] - a[1]) + rounded_product(b[2] - b[0], b[3] - b[1]);
  return both / (areas - both) > threshold;
}

/// Does score i with place p come before score j with place q? NaN is the lowest.
CYTOGRAD_HD inline bool comes_before(float i, int64_t p, float j, int64_t q) {
  const bool nan_i = i != i, nan_j = j != j;
  if (nan_i != nan_j) return nan_j;
  if (!nan_i && i != j) return i > j;
  return p < q;
}

/// kept[0 .. count - 1] = the kept places, of kept [M]; count is one int64. All packed; groups may
/// be undefined.
void nms(CpuContext, const Tensor& boxes, const Tensor& scores, float threshold,
         const Tensor& groups, const Tensor& kept, const Tensor& count);
void nms(CudaContext, const Tensor& boxes, const Tensor& scores, float threshold,
         const Tensor& groups, const Tensor& kept, const Tensor& count);

}  // namespace cytograd::kernels
