#pragma once

#include "cytograd/core/tensor.h"

/// @file
/// What several operations need, outside the graph.

namespace cytograd {

/// x without strides, and without recording.
inline Tensor packed(const Tensor& x) { return x.is_contiguous() ? x : x.detach().contiguous(); }
/// A view of x under a larger shape, strides 0 where it repeats; the shapes are known to broadcast.
Tensor broadcast_view(const Tensor& x, const Shape& shape);
/// Undoes broadcasting: the sum of x over the axes along which `shape` was repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace cytograd
