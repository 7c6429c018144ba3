#pragma once

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
void check_product_dtype(const char* op, const Tensor& x);
/// Are products of these operands to be made in bfloat16 (core/autocast.h)?
bool casts_to_bfloat16(const Tensor& x, const Tensor& weight);
/// `v`, if it is there, has one value per channel of x [..., C], its dtype and device.
void check_channels(const char* op, const Tensor& x, const Tensor& v, const char* name);
/// A view of x under a larger shape, strides 0 where it repeats; the shapes are known to broadcast.
Tensor broadcast_view(const Tensor& x, const Shape& shape);
/// Undoes broadcasting: the sum of x over the axes along which `shape` was repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace cytograd
