#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/cross_entropy.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/reduce.h"

namespace cytograd::losses {

/// Focal loss (Lin et al. 2017): the mean of -(1 - p_y)^gamma log p_y, p the softmax of the logits;
/// with class weights w the sum of w_y times that over the sum of w_y. gamma 0 is cross-entropy.
/// 1 - p_y is taken without cancellation; below 1e-12 it counts as 1e-12, so that slopes are finite
/// for gamma < 1.
/// @param logits [N, C]   @param labels [N] int64   @param class_weight [C] or undefined
/// @throws ValueError if gamma < 0; as cross_entropy
inline Tensor focal(const Tensor& logits, const Tensor& labels, double gamma,
                    const Tensor& class_weight = {}) {
  check<ValueError>(gamma >= 0, "focal", "gamma expects >= 0, got ", gamma);
  const Tensor nll = cross_entropy(logits, labels, {.reduction = Reduction::none});
  const Tensor rest = clamp(neg(expm1(neg(nll))), 1e-12, 1);
  const Tensor loss = gamma == 0 ? nll : pow(rest, gamma) * nll;
  if (!class_weight.defined()) return mean(loss);
  const Tensor weight = index_select(class_weight.to(loss.dtype()), 0, labels);
  return sum(weight * loss) / sum(weight);
}

}  // namespace cytograd::losses
