#pragma once

#include "cytograd/core/pair.h"
#include "cytograd/core/tensor.h"

/// @file
/// What conv2d and conv_transpose2d check alike.

namespace cytograd {

struct ConvArguments {
  const char* op;
  const char* expected;  ///< shapes of input and weight, for the message
  Pair stride, padding, dilation;
  int64_t groups;
};

/// Ranks, dtypes and options. @throws ShapeError, DtypeError, ValueError naming the operation
void check_conv_arguments(const ConvArguments& a, const Tensor& x, const Tensor& weight);
/// `bias`, if it is there, is [c_out] with the dtype of x.
void check_conv_bias(const char* op, const Tensor& x, const Tensor& bias, int64_t c_out);

}  // namespace cytograd
