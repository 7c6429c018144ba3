#pragma once

#include <utility>

#include "cytograd/core/tensor.h"

/// @file
/// What several operations need, outside the graph.

namespace cytograd {

/// x without strides, and without recording; undefined stays undefined.
inline Tensor packed(const Tensor& x) {
  return !x.defined() || x.is_contiguous() ? x : x.detach().contiguous();
}
/// `other`, if it is there, is on the device of x. @throws DeviceError naming `op` and `name`
void check_device(const char* op, const Tensor& x, const Tensor& other, const char* name);
/// float32, float64, and on CUDA bfloat16. @throws DtypeError naming `op`
void check_computable(const char* op, const Tensor& x);

// Conversions between float32 and bfloat16 on CUDA, recorded. Elsewhere, and for other dtypes, the
// tensors come back as they are. Undefined stays undefined.

/// An operand of a product: bfloat16 inside an Autocast scope (core/autocast.h).
Tensor product_operand(const Tensor& x);
/// float32 for what needs the digits: sums over many elements, losses, steep functions.
Tensor widened(const Tensor& x);
/// Both in float32 if only one of them is bfloat16.
std::pair<Tensor, Tensor> promoted(const Tensor& a, const Tensor& b);

/// What parameters, statistics and sums of x are kept in: float32 for bfloat16, else x's own.
Dtype vector_dtype(const Tensor& x);
/// `v`, if it is there, has one value per channel of x [..., C], its device and vector_dtype(x).
void check_channels(const char* op, const Tensor& x, const Tensor& v, const char* name);
/// A view of x under a larger shape, strides 0 where it repeats; the shapes are known to broadcast.
Tensor broadcast_view(const Tensor& x, const Shape& shape);
/// Undoes broadcasting: the sum of x over the axes along which `shape` was repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace cytograd
