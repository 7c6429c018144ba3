#pragma once

#include "cytograd/core/tensor.h"
#include "cytograd/ops/mine_triplets.h"
#include "kernels/context.h"
#include "kernels/math.h"

namespace cytograd::kernels {

/// The triplets of an anchor with a negative at distance d, as conditions on the distance p of its
/// sorted positives: those from the first that fits on, and for semi-hard mining up to the first
/// that is not nearer.
CYTOGRAD_HD inline bool positive_fits(Mining mining, double margin, double p, double d) {
  return mining == Mining::all_hard ? p >= d : p + margin > d;
}

/// Contiguous distances [R, C] float32 or float64, labels int64; writes coefficients [R, C] and
/// counts [2] int64.
void mine_triplets(CpuContext, const Tensor& distances, const Tensor& row_labels,
                   const Tensor& column_labels, const MiningOptions& options,
                   const Tensor& coefficients, const Tensor& counts);
void mine_triplets(CudaContext, const Tensor& distances, const Tensor& row_labels,
                   const Tensor& column_labels, const MiningOptions& options,
                   const Tensor& coefficients, const Tensor& counts);

}  // namespace cytograd::kernels
