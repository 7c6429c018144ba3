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

/// Which inputs follow x, and whether the statistics are the batch's. Saved are x, weight, mean,
/// rstd.
struct BatchNormCall {
  bool training, weight, bias;
};

}  // namespace cytograd
