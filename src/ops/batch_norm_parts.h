#pragma once

#include "cytograd/ops/batch_norm.h"
#include "kernels/batch_statistics.h"

/// @file
/// The steps of batch_norm, for operations that take the statistics on their way.

namespace cytograd {

/// x as the kernels take it: packed, or a channel slice of a packed tensor.
Tensor as_rows(const Tensor& x);

/// @throws what batch_norm throws for x
void check_batch_norm(const Tensor& x, const BatchNormLayer& norm, const Tensor& residual);

/// Where the statistics of x go: new mean and rstd, and the running statistics, packed. Copies are
/// saved for backward, since the running ones change with the next training step.
kernels::BatchStatistics statistics_for(const Tensor& x, const BatchNormLayer& norm);

/// Once the batch has moved them: the running statistics back to where the caller's are strided.
void write_running(const BatchNormLayer& norm, const kernels::BatchStatistics& statistics);

/// Both around the statistics of x, which is as_rows, in training.
kernels::BatchStatistics batch_statistics(const Tensor& x, const BatchNormLayer& norm);

/// The rest of batch_norm, recorded.
Tensor normalized(const Tensor& x, const BatchNormLayer& norm, const Tensor& mean,
                  const Tensor& rstd, const Tensor& residual);

}  // namespace cytograd
