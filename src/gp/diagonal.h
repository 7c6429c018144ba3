#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd::gp {

/// The diagonal of a packed [N, N] as a view [N], outside the graph.
inline Tensor diagonal(const Tensor& a) {
  return a.detach().as_strided({a.size(0)}, {a.size(0) + 1}, a.offset());
}

inline Tensor identity(int64_t n, Device device) {
  const Tensor out = Tensor::zeros({n, n}, Dtype::float64, device);
  diagonal(out).fill_(1);
  return out;
}

}  // namespace cytograd::gp
