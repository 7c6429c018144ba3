#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

struct BatchNormOptions {
  bool training = false;  ///< normalise by the batch and update the running statistics
  double momentum = 0.1;  ///< share of the batch in new running statistics
  double eps = 1e-5;      ///< added to the variance
  bool relu = false;      ///< the result is max(., 0); NaN stays NaN
  /// An operation that would keep the result for its backward pass computes it again from x
  /// instead: less memory, more time, the same bits. Not with a residual.
  bool recompute = false;
};

/// Mean and biased variance of each channel, float64 [C]; undefined where they are not known.
struct ChannelMoments {
  Tensor mean{}, variance{};
};

/// Over all axes but the last of x [..., C]; no gradient. float32, float64, on CUDA bfloat16.
/// @throws ShapeError if x is a scalar, DtypeError
ChannelMoments channel_moments(const Tensor& x);

/// What batch_norm takes beside its input, as one value.
struct BatchNormLayer {
  Tensor weight, bias, running_mean, running_var;
  BatchNormOptions options;
  ChannelMoments moments{};  ///< of the input, if they are known: training then does not sum them
};

/// Batch normalisation over all axes but the last (Ioffe and Szegedy 2015):
/// y = (x - mean) / sqrt(var + eps) * weight + bias, per channel, then `+ residual` where that is
/// given and max(., 0) where `relu` is asked for, all in one pass. Neither the value before the
/// ReLU nor its mask is kept for backward (docs/ops/batch_norm.md). relu'(0) = 0.
///
/// In training, mean and (biased) variance are those of the batch, and, where running statistics
/// are given, they are updated in place: running = (1 - momentum) running + momentum batch, with
/// the unbiased variance. Otherwise the running statistics are used and are constants to backward
/// ("frozen" batch norm; weight and bias still have gradients).
///
/// @param x             [..., C], [N, C] or [N, H, W, C]; slices of channels are read in place
/// @param weight, bias  [C], or undefined for 1 and 0
/// @param running_mean, running_var  [C]; both may be undefined in training
/// @param residual      the shape of x, or undefined for none
/// @return the shape of x
///
/// Gradients: x, weight, bias, residual. float32 (sums of at most 1024 terms in float32, then
/// float64), float64, on CUDA bfloat16 with vectors in float32. The variance is two-pass. Same bits
/// for any number of threads.
/// @throws ShapeError if a vector is not [C] or the residual not of x's shape, or in training if
/// there is only one value per channel; StateError if running statistics are needed and undefined
/// or require a gradient; ValueError for eps < 0, momentum outside 0..1 or
/// recompute with a residual; DtypeError
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options, const Tensor& residual = {});

}  // namespace cytograd
