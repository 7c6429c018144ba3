#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Group normalisation (Wu and He 2018): every sample is normalised by itself, per group of
/// C / groups neighbouring channels over all positions:
/// y = (x - mean) / sqrt(var + eps) * weight + bias, biased variance, weight and bias per channel.
///
/// @param x             [N, ..., C]
/// @param groups        divides C; 1 normalises over all channels, C is instance normalisation
/// @param weight, bias  [C], or undefined for 1 and 0
/// @return the shape of x
///
/// Gradients: x, weight, bias. float32 (statistics in float64), float64, bfloat16 on CUDA with
/// vectors in float32. The variance is two-pass. Same bits for any number of threads.
/// @throws ShapeError if x has fewer than two axes, a vector is not [C], or a group holds no value;
/// ValueError if groups does not divide C or eps < 0; DtypeError
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps = 1e-5);

}  // namespace cytograd
