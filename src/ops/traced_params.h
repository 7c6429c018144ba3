#pragma once

#include "kernels/unary_functions.h"

/// @file
/// Parameters of recorded operations that inference reads back from a trace (src/inference).
/// Convolutions, pooling and upsampling record the shapes that their kernels take.

namespace cytograd {

/// Which elementwise function, and its options.
struct UnaryCall {
  int function;
  kernels::UnaryParams params;
};

/// Whether the statistics are the batch's and a ReLU comes last, and which inputs follow x. Saved
/// are x, weight, mean, rstd.
struct BatchNormCall {
  bool training, relu, weight, bias, residual;
};

}  // namespace cytograd
