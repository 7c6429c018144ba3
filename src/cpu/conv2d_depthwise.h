#pragma once

#include "kernels/conv2d.h"

/// @file
/// Convolutions with one filter per channel (groups = c_in = c_out): too little arithmetic per
/// element for a matrix product, so plain loops over contiguous channels.

namespace cytograd::cpu {

template <class T>
void depthwise_forward(const kernels::Conv2dShape& shape, const T* x, const T* weight, T* y,
                       const kernels::Epilogue<T>& epilogue);

template <class T>
void depthwise_backward_data(const kernels::Conv2dShape& shape, const T* dy, const T* weight,
                             T* dx);

template <class T>
void depthwise_backward_weight(const kernels::Conv2dShape& shape, const T* x, const T* dy, T* dw);

}  // namespace cytograd::cpu
