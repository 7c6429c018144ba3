#pragma once

#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/reduce.h"

namespace cytograd::losses {

/// Binary cross-entropy of a sigmoid per class on one-hot targets, summed over classes, mean over
/// samples: log(1 + e^x) - x y, which does not overflow.
/// @param logits [B, C]   @param labels [B] int64
inline Tensor onehot_bce(const Tensor& logits, const Tensor& labels) {
  check<ShapeError>(logits.ndim() == 2 && logits.size(0) >= 1, "onehot_bce",
                    "expects logits [B, C], got ", logits.shape());
  const Tensor targets = one_hot(labels, logits.size(1), logits.dtype());
  return sum(softplus(logits) - logits * targets) * (1 / static_cast<double>(logits.size(0)));
}

}  // namespace cytograd::losses
