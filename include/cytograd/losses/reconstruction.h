#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/reduce.h"
#include "cytograd/ops/squared_error.h"

/// @file
/// How far a decoder's result is from what was encoded. Scalars; differentiable by the
/// reconstruction. The reduction is part of the meaning of a loss's coefficient.

namespace cytograd::losses {

/// Mean over all elements of (recon - target)^2.
/// @param recon, target  one shape and floating dtype
/// @throws ShapeError if they differ or are empty; DtypeError
inline Tensor mean_squared_error(const Tensor& recon, const Tensor& target) {
  check<ShapeError>(target.numel() >= 1, "mean_squared_error", "expects elements, got ",
                    target.shape());
  return squared_error(recon, target) * (1 / static_cast<double>(target.numel()));
}

/// What the summed error of masked images is divided by.
enum class ImageReduction {
  sum,          ///< B: the error of an image is a sum over its pixels
  mean,         ///< B H W C: the same with a coefficient H W C times as large
  masked_mean,  ///< C sum(mask^2): the mean over what the masks let through; 0 if they are empty
};

/// E = sum over pixels and channels of (mask recon - mask image)^2, divided as `reduction` says. A
/// soft mask therefore weighs by its square.
/// @param recon, image  [B, H, W, C], one floating dtype   @param mask  [B, H, W, 1], no gradient
/// @throws ShapeError, DtypeError, StateError as `squared_error`
inline Tensor masked_image_error(const Tensor& recon, const Tensor& image, const Tensor& mask,
                                 ImageReduction reduction = ImageReduction::sum) {
  check<ShapeError>(image.ndim() == 4 && image.size(0) >= 1, "masked_image_error",
                    "expects images [B, H, W, C], got ", image.shape());
  const Tensor error = squared_error(recon, image, mask);
  if (reduction == ImageReduction::masked_mean) {
    // Empty masks: the error is 0 already.
    const Tensor least = Tensor::full({}, 1e-30, error.dtype(), error.device());
    return error / maximum(sum(square(mask.detach())) * static_cast<double>(image.size(3)), least);
  }
  const int64_t divisor = reduction == ImageReduction::mean ? image.numel() : image.size(0);
  return error * (1 / static_cast<double>(divisor));
}

}  // namespace cytograd::losses
