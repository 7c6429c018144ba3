#pragma once

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Standard normal values, without gradient. Those of the k-th draw within a RandomScope
/// (core/random_scope.h) depend on the scope's seed and step, k and the place of the element
/// alone, whatever the device and the number of threads. float32 and float64 get the same values,
/// rounded.
/// @throws StateError outside a RandomScope, DtypeError
Tensor random_normal(const Shape& shape, Dtype dtype = Dtype::float32, Device device = {});

}  // namespace cytograd
