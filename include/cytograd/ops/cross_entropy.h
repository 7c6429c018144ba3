#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// How per-sample losses become one number.
enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  Tensor class_weight{};       ///< [C], >= 0, the dtype of the logits; undefined means all 1
  double label_smoothing = 0;  ///< in [0, 1]: the target is (1 - e) * one_hot + e / C
  Reduction reduction = Reduction::mean;
};

/// Softmax cross-entropy, fused with its gradient. With weights w, labels y and smoothing e,
///   l_n = -(1 - e) w[y_n] log p[n, y_n] - e/C * sum_c w[c] log p[n, c].
/// `mean` divides the sum by sum_n w[y_n], the weight of the targets; this is how
/// torch.nn.functional.cross_entropy weighs.
/// @param logits [N, C], float32 or float64, on CUDA bfloat16 as float32   @param labels [N], int64
/// @return a scalar, or [N] for Reduction::none. Gradient: logits only.
/// @throws ShapeError, DtypeError; ValueError for N = 0 with mean, a label out of range (naming
///   the label and its position), a negative weight, or targets whose weights sum to 0 with mean.
///   On CUDA, where looking at values would wait for the device, these give NaN
Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                     const CrossEntropyOptions& options = {});

}  // namespace cytograd
