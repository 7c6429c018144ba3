#pragma once

#include "cytograd/autograd/record.h"
#include "cytograd/core/error.h"
#include "cytograd/ops/elementwise.h"
#include "cytograd/ops/shape.h"
#include "ops/common.h"

namespace cytograd {

/// What the operations on pairs of rows ask of their inputs.
inline void check_row_pairs(const char* op, const Tensor& x, const Tensor& y) {
  check<ShapeError>(x.ndim() == 2 && y.ndim() == 2 && x.size(1) == y.size(1), op,
                    "expects [N, D] and [M, D], got ", x.shape(), " and ", y.shape());
  check<DtypeError>(x.dtype() == y.dtype(), op, "expects one dtype, got ", x.dtype(), " and ",
                    y.dtype());
  check_device(op, x, y, "the second operand");
}

/// Is it a set against itself? Both inputs are then one, and dd + dd^T gives its gradient at once.
inline bool one_set(const Tensor& x, const Tensor& y) {
  return x.raw_data() == y.raw_data() && x.shape() == y.shape() && x.strides() == y.strides() &&
         x.node() == y.node();
}

/// dd + dd^T, contiguous.
inline Tensor both_ways(const Tensor& dd) { return add(dd, transpose(dd, 0, 1)).contiguous(); }

}  // namespace cytograd
