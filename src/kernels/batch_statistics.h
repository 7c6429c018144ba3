#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd::kernels {

/// Where the statistics of a batch go; [C], packed.
struct BatchStatistics {
  Tensor mean{}, rstd{};                 ///< written; rstd = 1 / sqrt(var + eps)
  Tensor running_mean{}, running_var{};  ///< moved towards the batch's; may be undefined
  double momentum = 0.1, eps = 1e-5;
};

}  // namespace cytograd::kernels
