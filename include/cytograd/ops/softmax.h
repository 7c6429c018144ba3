#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// exp(x - max) / sum(exp(x - max)) along `dim`. float32 and float64; bfloat16 on CUDA as float32.
/// Differentiable. NaN if a whole row is -inf or one element is NaN or +inf. @throws ShapeError,
/// DtypeError
Tensor softmax(const Tensor& x, int dim);
/// x - logsumexp(x) along `dim`; accurate where softmax underflows. As softmax otherwise.
Tensor log_softmax(const Tensor& x, int dim);

}  // namespace cytograd
