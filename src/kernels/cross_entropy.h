#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// What cross_entropy works on; everything contiguous and checked. The weight is [C] or undefined.
struct CrossEntropyInput {
  Tensor logits, labels, class_weight;
  double label_smoothing = 0;
};

/// losses[n] and the row's log(sum(exp)) that backward needs, both [N].
void cross_entropy(CpuContext, const CrossEntropyInput& in, const Tensor& losses,
                   const Tensor& lse);
/// grad[n, c] = scale * d loss_n / d logits[n, c] * dy[n] (dy has one element or N).
void cross_entropy_backward(CpuContext, const CrossEntropyInput& in, const Tensor& lse,
                            const Tensor& dy, double scale, const Tensor& grad);

}  // namespace cytograd::kernels
