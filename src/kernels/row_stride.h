#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Elements between the rows of x [..., C] if its channels are consecutive, its rows evenly spaced
/// and apart: packed tensors and channel slices of them. Otherwise -1.
inline int64_t row_stride(const Tensor& x) {
  const int last = x.ndim() - 1;
  if (x.is_contiguous()) return last < 0 ? 1 : x.shape()[last];
  if (last < 1 || x.numel() == 0 || (x.strides()[last] != 1 && x.shape()[last] != 1)) return -1;
  int64_t stride = -1, next = -1;  // of a row; of the axis before
  for (int d = last - 1; d >= 0; --d) {
    if (x.shape()[d] == 1) continue;
    if (stride < 0)
      stride = x.strides()[d];
    else if (x.strides()[d] != next)
      return -1;
    next = x.strides()[d] * x.shape()[d];
  }
  if (stride < 0) stride = x.shape()[last];  // one row
  return stride >= x.shape()[last] ? stride : -1;
}

}  // namespace cytograd
